#ifndef TFLM_DOUBLE_MICRO_RESOURCE_VARIABLE_H_
#define TFLM_DOUBLE_MICRO_RESOURCE_VARIABLE_H_

#include "tensorflow/lite/micro/micro_allocator.h"

namespace tflite {

class MicroResourceVariables {
 public:
  static MicroResourceVariables* Create(MicroAllocator* allocator, int num_variables);

  int count = 0;
};

}  // namespace tflite

#endif  // TFLM_DOUBLE_MICRO_RESOURCE_VARIABLE_H_
