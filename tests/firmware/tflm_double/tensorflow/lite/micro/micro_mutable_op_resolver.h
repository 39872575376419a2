#ifndef TFLM_DOUBLE_MICRO_MUTABLE_OP_RESOLVER_H_
#define TFLM_DOUBLE_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {

struct TFLMRegistration {};

// The registrations for one type that a generated list may name.
inline TFLMRegistration Register_ADD_INT8() { return {}; }
inline TFLMRegistration Register_ADD_INT16() { return {}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D_INT8() { return {}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D_INT16() { return {}; }
inline TFLMRegistration Register_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_CONV_2D_INT16() { return {}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D_INT16() { return {}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT16() { return {}; }
inline TFLMRegistration Register_MAX_POOL_2D_INT8() { return {}; }
inline TFLMRegistration Register_MAX_POOL_2D_INT16() { return {}; }
inline TFLMRegistration Register_MUL_INT8() { return {}; }

// Counts what is added; as the real one, it refuses more than it has room for.
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddAbs() { return add(); }
  TfLiteStatus AddAdd(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddAssignVariable() { return add(); }
  TfLiteStatus AddAveragePool2D(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddBatchMatMul() { return add(); }
  TfLiteStatus AddCallOnce() { return add(); }
  TfLiteStatus AddConcatenation() { return add(); }
  TfLiteStatus AddConv2D(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddDepthwiseConv2D(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddFullyConnected(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddGreater() { return add(); }
  TfLiteStatus AddL2Normalization() { return add(); }
  TfLiteStatus AddLogistic() { return add(); }
  TfLiteStatus AddMaximum() { return add(); }
  TfLiteStatus AddMaxPool2D(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddMean() { return add(); }
  TfLiteStatus AddMinimum() { return add(); }
  TfLiteStatus AddMul(TFLMRegistration = {}) { return add(); }
  TfLiteStatus AddPack() { return add(); }
  TfLiteStatus AddPad() { return add(); }
  TfLiteStatus AddQuantize() { return add(); }
  TfLiteStatus AddReadVariable() { return add(); }
  TfLiteStatus AddRelu() { return add(); }
  TfLiteStatus AddReshape() { return add(); }
  TfLiteStatus AddSelectV2() { return add(); }
  TfLiteStatus AddSoftmax() { return add(); }
  TfLiteStatus AddSplit() { return add(); }
  TfLiteStatus AddSplitV() { return add(); }
  TfLiteStatus AddStridedSlice() { return add(); }
  TfLiteStatus AddSub() { return add(); }
  TfLiteStatus AddTanh() { return add(); }
  TfLiteStatus AddTranspose() { return add(); }
  TfLiteStatus AddVarHandle() { return add(); }

  unsigned int count() const override { return count_; }

 private:
  TfLiteStatus add() { return ++count_ <= tOpCount ? kTfLiteOk : kTfLiteError; }

  unsigned int count_ = 0;
};

}  // namespace tflite

#endif  // TFLM_DOUBLE_MICRO_MUTABLE_OP_RESOLVER_H_
