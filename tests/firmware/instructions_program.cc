// Counts the instructions of score bytes and detector on the emulated board. With -icount shift=0 an instruction takes a nanosecond of the
// board's time and the SysTick timer ticks every 40: a count of instructions, which is no count of cycles.
#include <cstdio>
#include <initializer_list>

#include "kws_detector.h"
#include "kws_score_bytes.h"

namespace {

constexpr uint32_t kInstructionsPerTick = 40, kScores = 1000, kTimerMask = 0xFFFFFF;
constexpr int kMostClasses = 12, kMostKeywords = 2, kWindow = 10;
constexpr uint8_t kFirstAndLast[] = {0, kMostClasses - 1};

uint32_t timer() { return *reinterpret_cast<volatile uint32_t*>(0xE000E018); }

void start_timer() {
  *reinterpret_cast<volatile uint32_t*>(0xE000E014) = kTimerMask;
  *reinterpret_cast<volatile uint32_t*>(0xE000E018) = 0;
  *reinterpret_cast<volatile uint32_t*>(0xE000E010) = 5;
  // It takes a tick to load its first value.
  while (timer() == 0) {
  }
}

uint32_t per_score(uint32_t start) { return ((start - timer()) & kTimerMask) * kInstructionsPerTick / kScores; }

uint32_t exponentials[kKwsExponentials];
uint8_t rings[kMostKeywords * kWindow];
uint32_t sums[kMostKeywords];

}  // namespace

int main() {
  for (int d = 0; d < kKwsExponentials; ++d) exponentials[d] = 65536u >> (d / 12);
  int8_t logits[kMostClasses];
  uint8_t scores[kMostClasses];
  uint32_t random = 1;
  start_timer();
  for (int n_classes : {2, 3, 12}) {
    const uint32_t start = timer();
    for (uint32_t n = 0; n < kScores; ++n) {
      random = random * 1664525u + 1013904223u;
      for (int i = 0; i < n_classes; ++i) logits[i] = static_cast<int8_t>(random >> (2 * i));
      kws_score_bytes(logits, n_classes, exponentials, scores);
    }
    std::printf("classes %d %lu\n", n_classes, static_cast<unsigned long>(per_score(start)));
  }
  for (int n_keywords : {1, 2}) {
    KwsDetector detector;
    detector.init(kFirstAndLast, n_keywords, kMostClasses, {200, 150, kWindow, 100, 0}, rings, sizeof(rings), sums);
    const uint32_t start = timer();
    for (uint32_t n = 0; n < kScores; ++n) {
      random = random * 1664525u + 1013904223u;
      scores[0] = static_cast<uint8_t>(random >> 24);
      scores[kMostClasses - 1] = static_cast<uint8_t>(random >> 16);
      detector.step(scores, n);
    }
    std::printf("keywords %d %lu\n", n_keywords, static_cast<unsigned long>(per_score(start)));
  }
  return 0;
}
