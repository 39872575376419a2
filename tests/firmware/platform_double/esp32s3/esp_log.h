#pragma once

#define ESP_LOGI(tag, format, ...) static_cast<void>(tag), static_cast<void>(format), static_cast<void>(__VA_ARGS__)
