#include "kws_listener.h"

#include "kws_line.h"
#include "kws_port.h"

KwsStatus KwsListener::init(KwsEngine& engine, int preset, KwsEventHandler on_event, KwsScoreHandler on_score) {
  engine_ = &engine;
  on_event_ = on_event;
  on_score_ = on_score;
  filled_samples_ = 0;
  if (preset < 0 || preset >= kws_model::kPresetCount ||
      !detector_.init(kws_model::kKeywordClasses, kws_model::kKeywords, kws_model::kClasses, kws_model::kPresets[preset], rings_,
                      sizeof(rings_), sums_)) {
    return KwsStatus::kSettings;
  }
  if (!kws_port_start_microphone()) return KwsStatus::kMicrophone;
  lost_samples_ = kws_port_lost_samples();
  return KwsStatus::kOk;
}

KwsStatus KwsListener::reset() {
  filled_samples_ = 0;
  detector_.reset();
  return engine_->reset();
}

KwsStatus KwsListener::poll() {
  const uint32_t lost = kws_port_lost_samples();
  if (lost != lost_samples_) {
    kws_port_log(KwsLine().number(lost - lost_samples_).text(" samples lost: a hop takes too long, or poll() comes too late").c_str());
    lost_samples_ = lost;
  }
  for (;;) {
    const uint32_t received = kws_port_read_microphone(hop_ + filled_samples_, kws_model::kHopSamples - filled_samples_);
    if (received == 0) return KwsStatus::kOk;
    filled_samples_ += received;
    if (filled_samples_ == kws_model::kHopSamples) {
      filled_samples_ = 0;
      return take_hop();
    }
  }
}

KwsStatus KwsListener::take_hop() {
  const KwsStatus status = engine_->process(hop_);
  if (status != KwsStatus::kOk) return status;
  for (int score = 0; score < kws_model::kScoresPerHop; ++score) {
    if (on_score_ != nullptr) on_score_(engine_->scores(score), engine_->end_sample(score));
    const KwsChange change = detector_.step(engine_->scores(score), engine_->end_sample(score));
    if (change != KwsChange::kNone && on_event_ != nullptr) on_event_(change, detector_.event());
  }
  return KwsStatus::kOk;
}
