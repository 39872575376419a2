// The loop of an application: microphone -> hops -> engine -> detector -> events.
#ifndef KWS_LISTENER_H_
#define KWS_LISTENER_H_

#include "kws_detector.h"
#include "kws_engine.h"

// Called for every event when it starts, and again when it ends. kws_model::kLabels[kws_model::kKeywordClasses[event.keyword]] is the word.
using KwsEventHandler = void (*)(KwsChange change, const KwsEvent& event);

// Called for every score, if set; for a display, or to record what the model thinks. scores: kws_model::kClasses bytes.
using KwsScoreHandler = void (*)(const uint8_t* scores, uint64_t end_sample);

class KwsListener {
 public:
  // Sets the detector up and starts the microphone; the engine is ready already.
  //   preset: index into kws_model::kPresets; kws_model::kDefaultPreset is that of the manifest.
  KwsStatus init(KwsEngine& engine, int preset, KwsEventHandler on_event, KwsScoreHandler on_score = nullptr);

  // Takes what the microphone has, and scores a hop as soon as one is complete: at most one per call. Call it in the main loop, more often
  // than once per hop. Returns kOk, or why the engine stopped; then reset() goes on.
  KwsStatus poll();

  // Forgets audio, scores and events: a new recording. For use after a pause of the microphone.
  KwsStatus reset();

 private:
  KwsStatus take_hop();

  KwsEngine* engine_ = nullptr;
  KwsDetector detector_;
  KwsEventHandler on_event_ = nullptr;
  KwsScoreHandler on_score_ = nullptr;
  int16_t hop_[kws_model::kHopSamples] = {};
  uint32_t filled_samples_ = 0;
  uint32_t lost_samples_ = 0;
  uint8_t rings_[kws_model::kKeywords * kws_model::kLongestWindowScores] = {};
  uint32_t sums_[kws_model::kKeywords] = {};
};

#endif  // KWS_LISTENER_H_
