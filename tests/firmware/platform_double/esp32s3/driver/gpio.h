// A stand-in for what the example uses of ESP-IDF, so that a compiler can read the example.
#pragma once

enum gpio_num_t { GPIO_NUM_2 = 2, GPIO_NUM_41 = 41, GPIO_NUM_42 = 42 };
