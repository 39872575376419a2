// Analogue microphone (such as MAX4466 or MAX9814) on GPIO 26, clock and log of a Raspberry Pi Pico. The converter runs by itself at the rate
// of the model and interrupts for every sample: its own queue holds four, so an interrupt may come three samples late.
#include <cstdio>

#include "hardware/adc.h"
#include "hardware/irq.h"
#include "kws_model_config.h"
#include "kws_pcm_ring.h"
#include "kws_port.h"
#include "pico/stdlib.h"

namespace {

constexpr uint32_t kAdcClockHz = 48000000;
constexpr int kMicrophonePin = 26, kMicrophoneInput = 0;
constexpr uint16_t kSamplesPerInterrupt = 1;

int16_t ring_storage[4096];
KwsPcmRing ring;
volatile uint32_t overflows = 0;  // of the queue of the converter; how many samples each of them cost is not known
// Twelve bits around a rest level that depends on the microphone; it is followed slowly, in 1/4096 of a step.
int32_t rest_level = 2048 << 12;

void take_samples() {
  if (adc_hw->fcs & ADC_FCS_OVER_BITS) {
    hw_set_bits(&adc_hw->fcs, ADC_FCS_OVER_BITS);  // a one clears it
    overflows = overflows + 1;
  }
  while (!adc_fifo_is_empty()) {
    const int32_t value = adc_fifo_get() & 0xFFF;
    rest_level += value - (rest_level >> 12);
    const int32_t signal = (value - (rest_level >> 12)) * 16;
    const int16_t sample = static_cast<int16_t>(signal > 32767 ? 32767 : signal < -32768 ? -32768 : signal);
    ring.write(&sample, 1);
  }
}

}  // namespace

bool kws_port_start_microphone() {
  if (!ring.init(ring_storage, sizeof(ring_storage) / sizeof(ring_storage[0]))) return false;
  adc_init();
  adc_gpio_init(kMicrophonePin);
  adc_select_input(kMicrophoneInput);
  adc_set_clkdiv(static_cast<float>(kAdcClockHz) / kws_model::kSampleRate - 1);
  adc_fifo_setup(true, false, kSamplesPerInterrupt, false, false);
  irq_set_exclusive_handler(ADC_IRQ_FIFO, take_samples);
  adc_irq_set_enabled(true);
  irq_set_enabled(ADC_IRQ_FIFO, true);
  adc_run(true);
  return true;
}

uint32_t kws_port_read_microphone(int16_t* pcm, uint32_t n_samples) { return ring.read(pcm, n_samples); }

uint32_t kws_port_lost_samples() { return ring.dropped() + overflows; }

uint32_t kws_port_microseconds() { return time_us_32(); }

void kws_port_log(const char* line) { std::printf("%s\n", line); }
