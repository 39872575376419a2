// What a board has to bring: microphone, clock and log. An example for every family is in firmware/examples.
#ifndef KWS_PORT_H_
#define KWS_PORT_H_

#include <cstdint>

// Starts the microphone: one channel of 16-bit samples at kws_model::kSampleRate. Returns false if it cannot.
bool kws_port_start_microphone();

// At most n_samples of the samples that have come since the last call, oldest first; returns how many, 0 if there are none. May wait for
// them, but not for longer than a hop takes.
uint32_t kws_port_read_microphone(int16_t* pcm, uint32_t n_samples);

// Samples that were lost since the start because they were read too late; a number that only grows.
uint32_t kws_port_lost_samples();

// Time in microseconds from any start; wraps at 2^32.
uint32_t kws_port_microseconds();

// Writes one line, without its end, to wherever people look.
void kws_port_log(const char* line);

#endif  // KWS_PORT_H_
