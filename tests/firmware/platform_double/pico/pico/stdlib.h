#pragma once
#include <cstdint>

bool stdio_init_all();
void sleep_ms(uint32_t milliseconds);
uint32_t time_us_32();
