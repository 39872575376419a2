#pragma once
#include <cstdint>

constexpr uint32_t portMAX_DELAY = 0xFFFFFFFF;
