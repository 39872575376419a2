#include "kws_line.h"

KwsLine& KwsLine::text(const char* words) {
  while (*words != '\0' && length_ < kCapacity - 1) characters_[length_++] = *words++;
  return *this;
}

KwsLine& KwsLine::number(uint64_t value) {
  char digits[21];
  int first = 20;
  digits[first] = '\0';
  do {
    digits[--first] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  return text(digits + first);
}
