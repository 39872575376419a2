// Checks of the parts that need no TFLite Micro. Prints the first check that fails and ends with status 1, or prints how many held.
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "kws_clip_window.h"
#include "kws_detector.h"
#include "kws_line.h"
#include "kws_pcm_ring.h"

namespace {

int n_checks = 0;

#define CHECK(condition)                                            \
  do {                                                              \
    ++n_checks;                                                     \
    if (!(condition)) {                                             \
      std::printf("line %d: %s does not hold\n", __LINE__, #condition); \
      return false;                                                 \
    }                                                               \
  } while (false)

uint32_t random_state = 1;

uint32_t random_below(uint32_t limit) {
  random_state = random_state * 1664525u + 1013904223u;
  return (random_state >> 8) % limit;
}

bool ring_keeps_order_and_counts_what_it_drops() {
  int16_t storage[16];
  KwsPcmRing ring;
  CHECK(!ring.init(storage, 12));
  CHECK(!ring.init(storage, 0));
  CHECK(ring.init(storage, 16));
  int16_t next_in = 0, next_out = 0;
  int16_t block[32];
  for (int step = 0; step < 20000; ++step) {
    // The values count up, so that a lost, doubled or swapped sample shows.
    const uint32_t offered = random_below(9);
    for (uint32_t i = 0; i < offered; ++i) block[i] = static_cast<int16_t>(next_in + static_cast<int16_t>(i));
    const uint32_t space = 16 - ring.available(), dropped = ring.dropped();
    const uint32_t taken = ring.write(block, offered);
    CHECK(taken == (offered < space ? offered : space));
    CHECK(ring.dropped() - dropped == offered - taken);
    next_in = static_cast<int16_t>(next_in + static_cast<int16_t>(taken));
    const uint32_t wanted = random_below(9), waiting = ring.available();
    const uint32_t received = ring.read(block, wanted);
    CHECK(received == (wanted < waiting ? wanted : waiting));
    for (uint32_t i = 0; i < received; ++i) {
      CHECK(block[i] == next_out);
      next_out = static_cast<int16_t>(next_out + 1);
    }
  }
  CHECK(ring.dropped() > 0);
  CHECK(ring.init(storage, 16) && ring.available() == 0 && ring.dropped() == 0);
  return true;
}

bool window_holds_the_last_samples() {
  constexpr int kSamples = 10;
  int16_t storage[kSamples], expected[kSamples] = {}, found[kSamples], block[25];
  KwsClipWindow window;
  std::memset(storage, 0x55, sizeof(storage));
  window.init(storage, kSamples);
  int16_t next = 1;
  for (int step = 0; step < 2000; ++step) {
    window.copy_to(found);
    CHECK(std::memcmp(found, expected, sizeof(found)) == 0);
    const uint32_t n_samples = random_below(26);
    for (uint32_t i = 0; i < n_samples; ++i) {
      block[i] = next;
      std::memmove(expected, expected + 1, sizeof(expected) - sizeof(expected[0]));
      expected[kSamples - 1] = next;
      next = static_cast<int16_t>(next == 30000 ? 1 : next + 1);
    }
    window.push(block, n_samples);
    if (step % 500 == 499) {
      window.reset();
      std::memset(expected, 0, sizeof(expected));
    }
  }
  return true;
}

bool line_is_cut_where_it_is_full() {
  KwsLine line;
  CHECK(std::strcmp(line.text("a ").number(0).text(" b ").number(UINT64_C(18446744073709551615)).c_str(), "a 0 b 18446744073709551615") == 0);
  for (int i = 0; i < 100; ++i) line.text("four");
  CHECK(std::strlen(line.c_str()) == 159);
  return true;
}

bool detector_refuses_what_is_out_of_range() {
  const uint8_t classes[] = {1, 2};
  uint8_t rings[20];
  uint32_t sums[2];
  KwsDetector detector;
  const uint8_t scores[] = {0, 255, 255};
  CHECK(detector.step(scores, 1) == KwsChange::kNone);
  const KwsDetectorSettings good = {100, 60, 10, 5, 0};
  CHECK(detector.init(classes, 2, 3, good, rings, sizeof(rings), sums));
  CHECK(!detector.init(classes, 2, 3, good, rings, sizeof(rings) - 1, sums));
  CHECK(detector.step(scores, 1) == KwsChange::kNone);
  CHECK(!detector.init(classes, 2, 2, good, rings, sizeof(rings), sums));
  CHECK(!detector.init(classes, 0, 3, good, rings, sizeof(rings), sums));
  for (const KwsDetectorSettings& bad : {KwsDetectorSettings{0, 0, 10, 5, 0}, KwsDetectorSettings{100, 0, 10, 5, 0},
                                         KwsDetectorSettings{100, 101, 10, 5, 0}, KwsDetectorSettings{100, 60, 0, 5, 0},
                                         KwsDetectorSettings{100, 60, 1001, 5, 0}}) {
    CHECK(!detector.init(classes, 1, 3, bad, rings, sizeof(rings), sums));
  }
  return true;
}

}  // namespace

int main() {
  if (!ring_keeps_order_and_counts_what_it_drops() || !window_holds_the_last_samples() || !line_is_cut_where_it_is_full() ||
      !detector_refuses_what_is_out_of_range()) {
    return 1;
  }
  std::printf("%d checks held\n", n_checks);
  return 0;
}
