#ifndef TFLM_DOUBLE_SCHEMA_GENERATED_H_
#define TFLM_DOUBLE_SCHEMA_GENERATED_H_

#include <cstdint>

namespace tflite {

class Model {
 public:
  uint32_t version() const;
};

const Model* GetModel(const void* bytes);

}  // namespace tflite

#endif  // TFLM_DOUBLE_SCHEMA_GENERATED_H_
