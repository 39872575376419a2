// A stand-in for what the sketch uses of Arduino, so that a compiler can read the sketch.
#pragma once
#include <cstdint>

constexpr int LED_BUILTIN = 13, OUTPUT = 1, HIGH = 1, LOW = 0;
void pinMode(int pin, int mode);
void digitalWrite(int pin, int value);
void delay(unsigned long milliseconds);
unsigned long millis();
unsigned long micros();

struct SerialPort {
  void begin(unsigned long baud);
  void println(const char* line);
  explicit operator bool() const;
};
extern SerialPort Serial;
