// Microphone (PDM), clock and log of an Arduino of the Nano 33 BLE Sense class. Included by the sketch alone.
#ifndef KWS_PORT_ARDUINO_H_
#define KWS_PORT_ARDUINO_H_

#include <Arduino.h>
#include <PDM.h>

#include "kws_model_config.h"
#include "kws_pcm_ring.h"
#include "kws_port.h"

// A quarter of a second: what may wait while a hop is computed.
static int16_t kws_ring_storage[4096];
static KwsPcmRing kws_ring;

static void kws_take_pdm() {
  static int16_t block[256];
  for (int n_bytes = PDM.available(); n_bytes > 0; n_bytes = PDM.available()) {
    const int received = PDM.read(block, n_bytes < static_cast<int>(sizeof(block)) ? n_bytes : static_cast<int>(sizeof(block)));
    if (received <= 0) return;
    kws_ring.write(block, static_cast<uint32_t>(received) / sizeof(block[0]));
  }
}

bool kws_port_start_microphone() {
  if (!kws_ring.init(kws_ring_storage, sizeof(kws_ring_storage) / sizeof(kws_ring_storage[0]))) return false;
  PDM.onReceive(kws_take_pdm);
  return PDM.begin(1, kws_model::kSampleRate) != 0;
}

uint32_t kws_port_read_microphone(int16_t* pcm, uint32_t n_samples) { return kws_ring.read(pcm, n_samples); }

uint32_t kws_port_lost_samples() { return kws_ring.dropped(); }

uint32_t kws_port_microseconds() { return micros(); }

void kws_port_log(const char* line) { Serial.println(line); }

#endif  // KWS_PORT_ARDUINO_H_
