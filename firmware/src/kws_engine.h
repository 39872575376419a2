// PCM in, scores out: runs the generated model in TFLite Micro. No allocation but in the arena, and there none after init() and reset().
#ifndef KWS_ENGINE_H_
#define KWS_ENGINE_H_

#include <cstddef>
#include <cstdint>

#include "kws_clip_window.h"
#include "kws_model_config.h"
#include "kws_model_ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

enum class KwsStatus : uint8_t {
  kOk,
  kNotReady,      // init() has not succeeded, or the last step failed: call init() or reset().
  kModelVersion,  // The TFLite Micro at hand has another schema version.
  kOperators,     // It lacks an operator of the model, see the log.
  kArena,         // It cannot set the model up: the arena is too small, or a kernel refuses its node; see the log.
  kTensors,       // Input or output are not those of kws_model_config.h: model and headers are not of one export.
  kInference,     // A kernel failed.
  kSettings,      // Settings of the detector, or its preset, are out of range.
  kMicrophone,    // The microphone cannot be started.
};

// What a status means, in a few words.
const char* kws_status_text(KwsStatus status);

class KwsEngine {
 public:
  // Sets the model up. arena: aligned to 16 bytes, of the caller; kws_model::kArenaBytes are enough unless the log says otherwise.
  KwsStatus init(uint8_t* arena, size_t arena_bytes);

  // Forgets all audio: what follows is a new recording. Sets the model up again in the same arena, which runs its initialiser again: exact
  // in every version of TFLite Micro, whatever that sets a variable to by itself. Takes as long as init().
  KwsStatus reset();

  // Takes the next kws_model::kHopSamples samples and makes kws_model::kScoresPerHop scores.
  KwsStatus process(const int16_t* pcm);

  // Scores of the last process(), 0 to kScoresPerHop - 1, oldest first: kClasses logits as the model gives them, or score bytes
  // (probabilities, 255 for 1).
  const int8_t* logits(int score) const { return logits_ + score * kws_model::kClasses; }
  const uint8_t* scores(int score) const { return scores_ + score * kws_model::kClasses; }

  // Samples since the reset at the end of a score's audio.
  uint64_t end_sample(int score) const {
    return samples_ - static_cast<uint64_t>(kws_model::kScoresPerHop - 1 - score) * kws_model::kScoreSamples;
  }

  // Bytes of the arena that are in use: the real figure of this board.
  size_t arena_used_bytes() const { return ready_ ? interpreter_->arena_used_bytes() : 0; }

 private:
  KwsStatus open();
  bool tensors_fit();
  void close();

  KwsOpResolver resolver_;
  alignas(tflite::MicroInterpreter) uint8_t interpreter_storage_[sizeof(tflite::MicroInterpreter)];
  tflite::MicroInterpreter* interpreter_ = nullptr;
  uint8_t* arena_ = nullptr;
  size_t arena_bytes_ = 0;
  bool operators_added_ = false;
  bool ready_ = false;
  uint64_t samples_ = 0;
  int8_t logits_[kws_model::kScoresPerHop * kws_model::kClasses] = {};
  uint8_t scores_[kws_model::kScoresPerHop * kws_model::kClasses] = {};
  // One sample where the file remembers by itself.
  int16_t clip_storage_[kws_model::kStreaming ? 1 : kws_model::kClipSamples] = {};
  KwsClipWindow clip_;
};

#endif  // KWS_ENGINE_H_
