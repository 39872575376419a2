// A stand-in for the parts of the TFLite Micro API that firmware/src uses: same names and signatures, no kernels. The interpreter asks the
// test for its answers through two pipes, see tests/firmware/model_process.py.
#ifndef TFLM_DOUBLE_MICRO_INTERPRETER_H_
#define TFLM_DOUBLE_MICRO_INTERPRETER_H_

#include <cstddef>
#include <cstdint>

#define TFLITE_SCHEMA_VERSION (3)

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteNoType = 0, kTfLiteInt16 = 7, kTfLiteInt8 = 9 };

union TfLitePtrUnion {
  int16_t* i16;
  int8_t* int8;
};

struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  size_t bytes;
};

namespace tflite {

class Model;
class MicroAllocator;
class MicroOpResolver {
 public:
  virtual unsigned int count() const = 0;

 protected:
  ~MicroOpResolver() = default;
};
class MicroProfilerInterface;
class MicroResourceVariables;

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& op_resolver, MicroAllocator* allocator,
                   MicroResourceVariables* resource_variables = nullptr, MicroProfilerInterface* profiler = nullptr);
  ~MicroInterpreter();

  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t index);
  size_t inputs_size() const;
  TfLiteTensor* output(size_t index);
  size_t outputs_size() const;
  size_t arena_used_bytes() const;

 private:
  const MicroOpResolver& resolver_;
  MicroAllocator* allocator_;
  MicroResourceVariables* variables_;
};

}  // namespace tflite

#endif  // TFLM_DOUBLE_MICRO_INTERPRETER_H_
