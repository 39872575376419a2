#include "kws_detector.h"

#include <cstring>

bool KwsDetector::init(const uint8_t* keyword_classes, int n_keywords, int n_classes, const KwsDetectorSettings& settings, uint8_t* rings,
                       size_t rings_bytes, uint32_t* sums) {
  n_keywords_ = 0;
  const bool in_range = settings.threshold >= 1 && settings.release >= 1 && settings.release <= settings.threshold &&
                        settings.window_scores >= 1 && settings.window_scores <= kKwsLongestWindowScores;
  if (!in_range || n_keywords < 1 || rings_bytes < static_cast<size_t>(n_keywords) * settings.window_scores) return false;
  for (int k = 0; k < n_keywords; ++k) {
    if (keyword_classes[k] >= n_classes) return false;
  }
  keyword_classes_ = keyword_classes;
  rings_ = rings;
  sums_ = sums;
  n_keywords_ = n_keywords;
  settings_ = settings;
  reset();
  return true;
}

void KwsDetector::reset() {
  event_ = {};
  position_ = 0;
  count_ = 0;
  pause_ = 0;
  active_ = false;
  if (n_keywords_ == 0) return;
  std::memset(rings_, 0, static_cast<size_t>(n_keywords_) * settings_.window_scores);
  std::memset(sums_, 0, sizeof(sums_[0]) * n_keywords_);
}

KwsChange KwsDetector::step(const uint8_t* scores, uint64_t sample) {
  if (n_keywords_ == 0) return KwsChange::kNone;
  const bool counts = count_ >= settings_.warmup_scores;
  for (int k = 0; k < n_keywords_; ++k) {
    uint8_t& oldest = rings_[static_cast<size_t>(k) * settings_.window_scores + position_];
    const uint8_t newest = counts ? scores[keyword_classes_[k]] : 0;
    sums_[k] += newest;
    sums_[k] -= oldest;
    oldest = newest;
  }
  position_ = static_cast<uint16_t>(position_ + 1 == settings_.window_scores ? 0 : position_ + 1);
  // Stops where it has told all it has to tell, so that it never wraps.
  if (!counts) ++count_;
  const KwsChange change = decide(sample);
  if (pause_ > 0) --pause_;
  return change;
}

KwsChange KwsDetector::decide(uint64_t sample) {
  if (active_) {
    const uint8_t now = mean(event_.keyword);
    if (now > event_.score) {
      event_.score = now;
      event_.peak_sample = sample;
    }
    if (now >= settings_.release) return KwsChange::kNone;
    event_.end_sample = sample;
    active_ = false;
    return KwsChange::kEnded;
  }
  if (pause_ > 0) return KwsChange::kNone;
  int best = 0;
  for (int k = 1; k < n_keywords_; ++k) {
    if (mean(k) > mean(best)) best = k;
  }
  if (mean(best) < settings_.threshold) return KwsChange::kNone;
  event_ = {static_cast<uint8_t>(best), mean(best), sample, sample, 0};
  active_ = true;
  pause_ = settings_.refractory_scores;
  return KwsChange::kStarted;
}
