#include "kws_pcm_ring.h"

bool KwsPcmRing::init(int16_t* storage, uint32_t capacity) {
  const bool power_of_two = capacity > 0 && (capacity & (capacity - 1)) == 0;
  storage_ = storage;
  capacity_ = power_of_two ? capacity : 0;
  written_.store(0, std::memory_order_relaxed);
  read_.store(0, std::memory_order_relaxed);
  dropped_.store(0, std::memory_order_relaxed);
  return power_of_two;
}

uint32_t KwsPcmRing::write(const int16_t* pcm, uint32_t n_samples) {
  const uint32_t position = written_.load(std::memory_order_relaxed);
  const uint32_t space = capacity_ - (position - read_.load(std::memory_order_acquire));
  const uint32_t taken = n_samples < space ? n_samples : space;
  for (uint32_t i = 0; i < taken; ++i) storage_[(position + i) & (capacity_ - 1)] = pcm[i];
  written_.store(position + taken, std::memory_order_release);
  // Load and store instead of an atomic addition: there is one writer, and a Cortex-M0+ has no such instruction.
  dropped_.store(dropped_.load(std::memory_order_relaxed) + (n_samples - taken), std::memory_order_relaxed);
  return taken;
}

uint32_t KwsPcmRing::read(int16_t* pcm, uint32_t n_samples) {
  const uint32_t position = read_.load(std::memory_order_relaxed);
  const uint32_t waiting = written_.load(std::memory_order_acquire) - position;
  const uint32_t taken = n_samples < waiting ? n_samples : waiting;
  for (uint32_t i = 0; i < taken; ++i) pcm[i] = storage_[(position + i) & (capacity_ - 1)];
  read_.store(position + taken, std::memory_order_release);
  return taken;
}
