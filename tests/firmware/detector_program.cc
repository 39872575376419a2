// Plays streams from standard input through the detector. A stream is 32-bit little-endian integers: whether its values are logits, classes,
// keywords, threshold, release, window_scores, refractory_scores, warmup_scores, samples per score, scores; the classes of the keywords; 256
// exponentials if the values are logits; the values. Prints "refused" for settings that init refuses; else the score bytes of every score,
// if they were made of logits, and every change.
#include <cstdio>

#include "kws_detector.h"
#include "kws_line.h"
#include "kws_score_bytes.h"

namespace {

constexpr int kMostKeywords = 8, kMostClasses = 16;

bool read_integer(int32_t* value) {
  uint8_t bytes[4];
  if (std::fread(bytes, 1, 4, stdin) != 4) return false;
  *value = static_cast<int32_t>(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24);
  return true;
}

int32_t next() {
  int32_t value = 0;
  read_integer(&value);
  return value;
}

KwsDetector detector;
uint8_t rings[kMostKeywords * kKwsLongestWindowScores];
uint32_t sums[kMostKeywords];
uint32_t exponentials[kKwsExponentials];
uint8_t keyword_classes[kMostKeywords];

}  // namespace

int main() {
  int32_t of_logits = 0;
  for (int stream = 0; read_integer(&of_logits); ++stream) {
    const int n_classes = next(), n_keywords = next();
    KwsDetectorSettings settings;
    settings.threshold = static_cast<uint8_t>(next());
    settings.release = static_cast<uint8_t>(next());
    settings.window_scores = static_cast<uint16_t>(next());
    settings.refractory_scores = static_cast<uint32_t>(next());
    settings.warmup_scores = static_cast<uint32_t>(next());
    const uint64_t score_samples = static_cast<uint64_t>(next());
    const int n_scores = next();
    for (int k = 0; k < n_keywords; ++k) keyword_classes[k] = static_cast<uint8_t>(next());
    if (of_logits != 0) {
      for (uint32_t& exponential : exponentials) exponential = static_cast<uint32_t>(next());
    }
    const bool accepted = detector.init(keyword_classes, n_keywords, n_classes, settings, rings, sizeof(rings), sums);
    if (!accepted) std::printf("%d refused\n", stream);
    for (int at = 0; at < n_scores; ++at) {
      int8_t logits[kMostClasses];
      uint8_t scores[kMostClasses];
      for (int i = 0; i < n_classes; ++i) {
        const int32_t value = next();
        logits[i] = static_cast<int8_t>(value);
        scores[i] = static_cast<uint8_t>(value);
      }
      if (of_logits != 0) {
        kws_score_bytes(logits, n_classes, exponentials, scores);
        std::printf("%d scores", stream);
        for (int i = 0; i < n_classes; ++i) std::printf(" %d", scores[i]);
        std::printf("\n");
      }
      const KwsChange change = detector.step(scores, score_samples * static_cast<uint64_t>(at + 1));
      if (change == KwsChange::kNone) continue;
      const KwsEvent& event = detector.event();
      // The printf of newlib knows no 64-bit numbers.
      KwsLine line;
      line.number(event.start_sample).text(" ").number(event.peak_sample).text(" ").number(event.end_sample);
      std::printf("%d %d %s %d %d %s\n", stream, at, change == KwsChange::kStarted ? "started" : "ended", event.keyword, event.score,
                  line.c_str());
    }
  }
  return 0;
}
