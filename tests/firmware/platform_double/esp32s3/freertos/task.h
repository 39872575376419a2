#pragma once
#include <cstdint>

void vTaskDelay(uint32_t ticks);
