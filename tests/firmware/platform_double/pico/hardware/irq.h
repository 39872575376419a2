#pragma once

constexpr unsigned int ADC_IRQ_FIFO = 22;
void irq_set_exclusive_handler(unsigned int number, void (*handler)());
void irq_set_enabled(unsigned int number, bool enabled);
