#include "kws_engine.h"

#include <cstring>
#include <new>

#include "kws_model_data.h"
#include "kws_score_bytes.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

constexpr uint32_t kInputSamples = kws_model::kStreaming ? kws_model::kHopSamples : kws_model::kClipSamples;
constexpr size_t kOutputBytes = static_cast<size_t>(kws_model::kScoresPerHop) * kws_model::kClasses;
// TFLite Micro writes through a null pointer if not even its own records fit; no model of this project fits into so little.
constexpr size_t kSmallestArenaBytes = 4096;

}  // namespace

const char* kws_status_text(KwsStatus status) {
  switch (status) {
    case KwsStatus::kOk:
      return "ok";
    case KwsStatus::kNotReady:
      return "not ready: init() has not succeeded, or a step has failed";
    case KwsStatus::kModelVersion:
      return "this TFLite Micro has another schema version than the model";
    case KwsStatus::kOperators:
      return "this TFLite Micro lacks an operator of the model";
    case KwsStatus::kArena:
      return "the model cannot be set up: the arena is too small, or a kernel refuses its node";
    case KwsStatus::kTensors:
      return "input or output of the model are not those of kws_model_config.h";
    case KwsStatus::kInference:
      return "a kernel failed";
    case KwsStatus::kSettings:
      return "settings of the detector are out of range";
    case KwsStatus::kMicrophone:
      return "the microphone cannot be started";
  }
  return "unknown status";
}

KwsStatus KwsEngine::init(uint8_t* arena, size_t arena_bytes) {
  close();
  arena_ = arena;
  arena_bytes_ = arena_bytes;
  if (arena == nullptr || arena_bytes < kSmallestArenaBytes) return KwsStatus::kArena;
  if (!operators_added_) {
    if (kws_add_operators(resolver_) != kTfLiteOk) return KwsStatus::kOperators;
    operators_added_ = true;
  }
  return open();
}

KwsStatus KwsEngine::reset() {
  if (arena_bytes_ < kSmallestArenaBytes || !operators_added_) return KwsStatus::kNotReady;
  close();
  return open();
}

KwsStatus KwsEngine::process(const int16_t* pcm) {
  if (!ready_) return KwsStatus::kNotReady;
  int16_t* input = interpreter_->input(kws_model::kPcmInput)->data.i16;
  if (kws_model::kStreaming) {
    std::memcpy(input, pcm, sizeof(pcm[0]) * kws_model::kHopSamples);
  } else {
    clip_.push(pcm, kws_model::kHopSamples);
    clip_.copy_to(input);
  }
  if (kws_model::kValidInput >= 0) {
    // Every frame belongs to the recording: a device never ends one. The arena may use this memory in between, so it is set every time.
    TfLiteTensor* valid = interpreter_->input(kws_model::kValidInput);
    std::memset(valid->data.int8, 1, valid->bytes);
  }
  if (interpreter_->Invoke() != kTfLiteOk) {
    // States may be half updated: nothing that follows would be right.
    ready_ = false;
    return KwsStatus::kInference;
  }
  std::memcpy(logits_, interpreter_->output(0)->data.int8, kOutputBytes);
  for (int score = 0; score < kws_model::kScoresPerHop; ++score) {
    const int row = score * kws_model::kClasses;
    kws_score_bytes(logits_ + row, kws_model::kClasses, kws_model::kExponentials, scores_ + row);
  }
  samples_ += kws_model::kHopSamples;
  return KwsStatus::kOk;
}

KwsStatus KwsEngine::open() {
  const tflite::Model* model = tflite::GetModel(kws_model::kModelData);
  if (model->version() != TFLITE_SCHEMA_VERSION) return KwsStatus::kModelVersion;
  tflite::MicroAllocator* allocator = tflite::MicroAllocator::Create(arena_, arena_bytes_);
  if (allocator == nullptr) return KwsStatus::kArena;
  tflite::MicroResourceVariables* variables = nullptr;
  if (kws_model::kVariables > 0) {
    variables = tflite::MicroResourceVariables::Create(allocator, kws_model::kVariables);
    if (variables == nullptr) return KwsStatus::kArena;
  }
  interpreter_ = new (interpreter_storage_) tflite::MicroInterpreter(model, resolver_, allocator, variables);
  if (interpreter_->AllocateTensors() != kTfLiteOk) {
    close();
    return KwsStatus::kArena;
  }
  if (!tensors_fit()) {
    close();
    return KwsStatus::kTensors;
  }
  clip_.init(clip_storage_, sizeof(clip_storage_) / sizeof(clip_storage_[0]));
  samples_ = 0;
  ready_ = true;
  return KwsStatus::kOk;
}

bool KwsEngine::tensors_fit() {
  constexpr size_t kInputs = kws_model::kValidInput >= 0 ? 2 : 1;
  if (interpreter_->inputs_size() != kInputs || interpreter_->outputs_size() != 1) return false;
  const TfLiteTensor* pcm = interpreter_->input(kws_model::kPcmInput);
  const TfLiteTensor* logits = interpreter_->output(0);
  if (pcm->type != kTfLiteInt16 || pcm->bytes != sizeof(int16_t) * kInputSamples) return false;
  if (logits->type != kTfLiteInt8 || logits->bytes != kOutputBytes) return false;
  return kws_model::kValidInput < 0 || interpreter_->input(kws_model::kValidInput)->type == kTfLiteInt8;
}

void KwsEngine::close() {
  if (interpreter_ != nullptr) interpreter_->~MicroInterpreter();
  interpreter_ = nullptr;
  ready_ = false;
}
