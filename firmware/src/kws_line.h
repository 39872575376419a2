// One line of text for the log, made of words and whole numbers. Small: it brings no printf and no heap into the program.
#ifndef KWS_LINE_H_
#define KWS_LINE_H_

#include <cstdint>

class KwsLine {
 public:
  KwsLine& text(const char* words);
  KwsLine& number(uint64_t value);

  // What was put in so far; what is beyond kCapacity - 1 characters is cut off.
  const char* c_str() const { return characters_; }

 private:
  static constexpr int kCapacity = 160;
  char characters_[kCapacity] = {};
  int length_ = 0;
};

#endif  // KWS_LINE_H_
