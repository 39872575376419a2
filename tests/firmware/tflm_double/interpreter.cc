// The stand-in's interpreter. The environment variable KWS_DOUBLE_PIPES names two file descriptors, such as 3,4, that lead to and from the
// process that plays the model:
//
//   to it    'O' uint32 variables, uint32 operators        a new interpreter; it answers the description of the tensors:
//                                                          int32 status, then for inputs and outputs: uint32 count, {uint32 type, bytes}
//            'I' the bytes of all inputs                   an inference; it answers int32 status, then the bytes of all outputs
//            'C'                                           the interpreter is gone
//
// The environment variable KWS_DOUBLE_VERSION is the schema version of the model, 3 by default.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

constexpr size_t kMostTensors = 4;

int pipe_end(bool to_model) {
  const char* pipes = std::getenv("KWS_DOUBLE_PIPES");
  if (pipes == nullptr) std::abort();
  return std::atoi(to_model ? pipes : std::strchr(pipes, ',') + 1);
}

void send(const void* bytes, size_t n_bytes) {
  const char* next = static_cast<const char*>(bytes);
  while (n_bytes > 0) {
    const ssize_t sent = write(pipe_end(true), next, n_bytes);
    if (sent <= 0) std::abort();
    next += sent;
    n_bytes -= static_cast<size_t>(sent);
  }
}

void receive(void* bytes, size_t n_bytes) {
  char* next = static_cast<char*>(bytes);
  while (n_bytes > 0) {
    const ssize_t received = read(pipe_end(false), next, n_bytes);
    if (received <= 0) std::abort();
    next += received;
    n_bytes -= static_cast<size_t>(received);
  }
}

struct Tensors {
  uint32_t count = 0;
  TfLiteTensor tensor[kMostTensors] = {};

  bool describe(tflite::MicroAllocator* allocator) {
    receive(&count, sizeof(count));
    if (count > kMostTensors) std::abort();
    bool fits = true;
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t type_and_bytes[2];
      receive(type_and_bytes, sizeof(type_and_bytes));
      uint8_t* memory = allocator->take(type_and_bytes[1]);
      fits = fits && memory != nullptr;
      tensor[i].type = static_cast<TfLiteType>(type_and_bytes[0]);
      tensor[i].bytes = type_and_bytes[1];
      tensor[i].data.int8 = reinterpret_cast<int8_t*>(memory);
    }
    return fits;
  }
};

Tensors inputs, outputs;
alignas(tflite::MicroAllocator) unsigned char allocator_storage[sizeof(tflite::MicroAllocator)];
tflite::MicroResourceVariables variables_storage;
tflite::Model* const kModel = nullptr;

}  // namespace

namespace tflite {

MicroAllocator* MicroAllocator::Create(uint8_t* tensor_arena, size_t arena_size) {
  MicroAllocator* allocator = new (allocator_storage) MicroAllocator;
  allocator->arena_ = tensor_arena;
  allocator->size_ = arena_size;
  return allocator;
}

uint8_t* MicroAllocator::take(size_t n_bytes) {
  const size_t rounded = (n_bytes + 15) / 16 * 16;
  if (rounded > size_ - used_) return nullptr;
  uint8_t* memory = arena_ + used_;
  used_ += rounded;
  // Whatever was there before: nobody may rely on zeros.
  std::memset(memory, 0xA5, rounded);
  return memory;
}

MicroResourceVariables* MicroResourceVariables::Create(MicroAllocator*, int num_variables) {
  variables_storage.count = num_variables;
  return &variables_storage;
}

uint32_t Model::version() const {
  const char* version = std::getenv("KWS_DOUBLE_VERSION");
  return version == nullptr ? TFLITE_SCHEMA_VERSION : static_cast<uint32_t>(std::atoi(version));
}

const Model* GetModel(const void* bytes) {
  // The address of the real model would do as well; nothing here reads it.
  return bytes == nullptr ? kModel : static_cast<const Model*>(bytes);
}

MicroInterpreter::MicroInterpreter(const Model*, const MicroOpResolver& op_resolver, MicroAllocator* allocator,
                                   MicroResourceVariables* resource_variables, MicroProfilerInterface*)
    : resolver_(op_resolver), allocator_(allocator), variables_(resource_variables) {}

MicroInterpreter::~MicroInterpreter() { send("C", 1); }

TfLiteStatus MicroInterpreter::AllocateTensors() {
  const uint32_t numbers[] = {variables_ == nullptr ? 0 : static_cast<uint32_t>(variables_->count), resolver_.count()};
  send("O", 1);
  send(numbers, sizeof(numbers));
  int32_t status = 0;
  receive(&status, sizeof(status));
  const bool inputs_fit = inputs.describe(allocator_), outputs_fit = outputs.describe(allocator_);
  return status == 0 && inputs_fit && outputs_fit ? kTfLiteOk : kTfLiteError;
}

TfLiteStatus MicroInterpreter::Invoke() {
  send("I", 1);
  for (uint32_t i = 0; i < inputs.count; ++i) send(inputs.tensor[i].data.int8, inputs.tensor[i].bytes);
  int32_t status = 0;
  receive(&status, sizeof(status));
  for (uint32_t i = 0; i < outputs.count; ++i) receive(outputs.tensor[i].data.int8, outputs.tensor[i].bytes);
  // The planner of the real one reuses the memory of inputs.
  for (uint32_t i = 0; i < inputs.count; ++i) std::memset(inputs.tensor[i].data.int8, 0xA5, inputs.tensor[i].bytes);
  return status == 0 ? kTfLiteOk : kTfLiteError;
}

TfLiteTensor* MicroInterpreter::input(size_t index) { return index < inputs.count ? &inputs.tensor[index] : nullptr; }
size_t MicroInterpreter::inputs_size() const { return inputs.count; }
TfLiteTensor* MicroInterpreter::output(size_t index) { return index < outputs.count ? &outputs.tensor[index] : nullptr; }
size_t MicroInterpreter::outputs_size() const { return outputs.count; }
size_t MicroInterpreter::arena_used_bytes() const { return allocator_->used(); }

}  // namespace tflite
