#ifndef TFLM_DOUBLE_MICRO_ALLOCATOR_H_
#define TFLM_DOUBLE_MICRO_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>

namespace tflite {

// Hands out memory of the arena from its start, so that the sanitizer sees a use of more than was given.
class MicroAllocator {
 public:
  static MicroAllocator* Create(uint8_t* tensor_arena, size_t arena_size);

  uint8_t* take(size_t n_bytes);
  size_t used() const { return used_; }

 private:
  uint8_t* arena_ = nullptr;
  size_t size_ = 0;
  size_t used_ = 0;
};

}  // namespace tflite

#endif  // TFLM_DOUBLE_MICRO_ALLOCATOR_H_
