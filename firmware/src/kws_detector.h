// The detector: score bytes in, keyword events out. Integers only; the same events, bit for bit, as kws_tf/runtime/detector.py, which
// states the algorithm step by step. firmware/golden/detector.json holds streams that both must reproduce.
#ifndef KWS_DETECTOR_H_
#define KWS_DETECTOR_H_

#include <cstddef>
#include <cstdint>

// How the detector decides. Counts are scores of the stream.
struct KwsDetectorSettings {
  uint8_t threshold;           // An event starts when a keyword's mean score byte reaches it: 1 to 255, where 255 is probability 1.
  uint8_t release;             // It ends when the mean falls below this: 1 to threshold.
  uint16_t window_scores;      // Scores that the mean covers: 1 to kKwsLongestWindowScores.
  uint32_t refractory_scores;  // The next event starts at the earliest so many scores after the start of the last one.
  uint32_t warmup_scores;      // First scores after a reset that count as 0.
};

constexpr uint16_t kKwsLongestWindowScores = 1000;

// One detection. Samples are counted since the reset; the delay of the network is not subtracted.
struct KwsEvent {
  uint8_t keyword;        // Index among the keywords, in the order that breaks ties.
  uint8_t score;          // The highest mean score byte so far.
  uint64_t start_sample;  // End of the hop whose score started the event.
  uint64_t peak_sample;   // End of the hop with the highest mean, the first if several have it.
  uint64_t end_sample;    // End of the hop at which the mean fell below the release; 0 while the event goes on.
};

enum class KwsChange : uint8_t { kNone, kStarted, kEnded };

class KwsDetector {
 public:
  // Sets the detector up and resets it.
  //   keyword_classes: index of every keyword among the classes; must outlive the detector.
  //   rings: n_keywords * settings.window_scores bytes, and sums: n_keywords words, both of the caller.
  // Returns false, and detects nothing, if a setting or an index is out of range or the rings are too small.
  bool init(const uint8_t* keyword_classes, int n_keywords, int n_classes, const KwsDetectorSettings& settings, uint8_t* rings,
            size_t rings_bytes, uint32_t* sums);

  // Forgets all scores and any event; sample counts start again.
  void reset();

  // Takes one score: a byte for every class, and the samples since the reset at the end of its hop.
  // Returns whether an event has started or ended with it; event() tells which.
  KwsChange step(const uint8_t* scores, uint64_t sample);

  // The event that goes on, or the last one that ended.
  const KwsEvent& event() const { return event_; }
  bool active() const { return active_; }

  // Mean score byte of a keyword over the window, as of the last step; after an init() that has succeeded.
  uint8_t mean(int keyword) const { return static_cast<uint8_t>(sums_[keyword] / settings_.window_scores); }

 private:
  KwsChange decide(uint64_t sample);

  const uint8_t* keyword_classes_ = nullptr;
  uint8_t* rings_ = nullptr;
  uint32_t* sums_ = nullptr;
  int n_keywords_ = 0;
  KwsDetectorSettings settings_ = {};
  KwsEvent event_ = {};
  uint16_t position_ = 0;
  uint32_t count_ = 0;
  uint32_t pause_ = 0;
  bool active_ = false;
};

#endif  // KWS_DETECTOR_H_
