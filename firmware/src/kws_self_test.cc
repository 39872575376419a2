#include "kws_self_test.h"

#include "kws_golden.h"
#include "kws_line.h"
#include "kws_port.h"

bool KwsSelfTest::run(KwsEngine& engine) {
  *this = {};
  KwsStatus status = KwsStatus::kOk;
  for (int i = 0; i < 2 && status == KwsStatus::kOk; ++i) {
    status = engine.reset();
    if (status == KwsStatus::kOk) status = pass(engine);
  }
  const uint32_t arena_bytes = static_cast<uint32_t>(engine.arena_used_bytes());
  if (status == KwsStatus::kOk) status = engine.reset();
  if (status != KwsStatus::kOk) {
    kws_port_log(KwsLine().text("self-test: failed: ").text(kws_status_text(status)).c_str());
    return false;
  }
  kws_port_log(KwsLine()
                   .text("self-test: ")
                   .text(different_bytes_ == 0 ? "passed: " : "FAILED: ")
                   .number(different_bytes_)
                   .text(" of ")
                   .number(compared_bytes_)
                   .text(" bytes differ, logits by at most ")
                   .number(static_cast<uint64_t>(largest_difference_))
                   .c_str());
  kws_port_log(KwsLine()
                   .text("self-test: arena ")
                   .number(arena_bytes)
                   .text(" bytes in use, ")
                   .number(kws_model::kArenaBytes)
                   .text(" declared; longest hop ")
                   .number(longest_microseconds_)
                   .text(" of ")
                   .number(kws_model::kHopSamples * UINT64_C(1000000) / kws_model::kSampleRate)
                   .text(" us")
                   .c_str());
  return different_bytes_ == 0;
}

KwsStatus KwsSelfTest::pass(KwsEngine& engine) {
  const int8_t* logits = kws_model::kGoldenLogits;
  const uint8_t* scores = kws_model::kGoldenScores;
  for (int hop = 0; hop < kws_model::kGoldenHops; ++hop) {
    const uint32_t start = kws_port_microseconds();
    const KwsStatus status = engine.process(kws_model::kGoldenPcm + hop * kws_model::kHopSamples);
    const uint32_t duration = kws_port_microseconds() - start;
    if (status != KwsStatus::kOk) return status;
    if (duration > longest_microseconds_) longest_microseconds_ = duration;
    for (int i = 0; i < kws_model::kScoresPerHop * kws_model::kClasses; ++i) {
      const int difference = engine.logits(0)[i] - *logits++;
      const int distance = difference < 0 ? -difference : difference;
      if (distance > largest_difference_) largest_difference_ = distance;
      different_bytes_ += (distance != 0) + (engine.scores(0)[i] != *scores++);
      compared_bytes_ += 2;
    }
  }
  return KwsStatus::kOk;
}
