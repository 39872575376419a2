// Start of a program on the emulated board mps2-an386 (Cortex-M4). newlib's own start-up code, which _start is, sets up the rest and talks
// to the emulator by semihosting.
#include <cstdint>

extern "C" {
extern uint32_t stack_top;
void _start();
}

namespace {

void reset() {
  // Full access to the floating-point unit, as the C library is compiled for it.
  *reinterpret_cast<volatile uint32_t*>(0xE000ED88) |= 0xFu << 20;
  _start();
}

// Ends the emulation with an error instead of standing still: the word of the semihosting call SYS_EXIT is an internal error.
void fault() {
  __asm volatile(
      "movs r0, #0x18\n"
      "ldr r1, =0x20023\n"
      "bkpt 0xab\n");
}

using Handler = void (*)();

}  // namespace

struct Vectors {
  uint32_t* stack;
  Handler handlers[15];
};

extern "C" __attribute__((section(".vectors"), used)) const Vectors vectors = {
    &stack_top, {reset, fault, fault, fault, fault, fault, nullptr, nullptr, nullptr, nullptr, fault, fault, nullptr, fault, fault}};
