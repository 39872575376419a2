// Runs the golden audio of kws_golden.h through the engine and compares every byte: shows at boot that model, kernels, compiler and arena
// of this board give what the PC gave. Costs flash for the audio only where it is used.
#ifndef KWS_SELF_TEST_H_
#define KWS_SELF_TEST_H_

#include "kws_engine.h"

class KwsSelfTest {
 public:
  // Runs the golden audio, resets, runs it again, and resets: an equal second pass proves the reset. Writes what it found to the log:
  // time per hop, arena in use, differences. Returns whether all bytes are those of the PC in both passes.
  bool run(KwsEngine& engine);

  // Of the last run, both passes together: bytes compared, those that differ, the largest difference of a logit, the longest hop.
  uint32_t compared_bytes() const { return compared_bytes_; }
  uint32_t different_bytes() const { return different_bytes_; }
  int largest_difference() const { return largest_difference_; }
  uint32_t longest_microseconds() const { return longest_microseconds_; }

 private:
  KwsStatus pass(KwsEngine& engine);

  uint32_t compared_bytes_ = 0;
  uint32_t different_bytes_ = 0;
  int largest_difference_ = 0;
  uint32_t longest_microseconds_ = 0;
};

#endif  // KWS_SELF_TEST_H_
