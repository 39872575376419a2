// A stand-in for what the example uses of the Pico SDK, so that a compiler can read the example.
#pragma once
#include <cstdint>

struct AdcRegisters {
  volatile uint32_t fcs;
};
extern AdcRegisters* adc_hw;
constexpr uint32_t ADC_FCS_OVER_BITS = 1u << 11;
void hw_set_bits(volatile uint32_t* address, uint32_t mask);

void adc_init();
void adc_gpio_init(unsigned int gpio);
void adc_select_input(unsigned int input);
void adc_set_clkdiv(float divisor);
void adc_fifo_setup(bool enabled, bool with_dma, uint16_t threshold, bool error_in_fifo, bool byte_shift);
bool adc_fifo_is_empty();
uint16_t adc_fifo_get();
void adc_irq_set_enabled(bool enabled);
void adc_run(bool run);
