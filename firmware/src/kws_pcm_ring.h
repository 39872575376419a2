// Samples on their way from an interrupt or DMA callback, which writes, to the main loop, which reads. One writer, one reader, no lock.
#ifndef KWS_PCM_RING_H_
#define KWS_PCM_RING_H_

#include <atomic>
#include <cstdint>

class KwsPcmRing {
 public:
  // Gives the ring its memory, storage[capacity] of the caller, and empties it. The capacity must be a power of two; false otherwise.
  bool init(int16_t* storage, uint32_t capacity);

  // The writer's side: takes what fits, counts the rest as dropped, and returns how many samples it took.
  uint32_t write(const int16_t* pcm, uint32_t n_samples);

  // The reader's side: at most n_samples of the oldest samples; returns how many.
  uint32_t read(int16_t* pcm, uint32_t n_samples);

  // Samples that wait to be read.
  uint32_t available() const { return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire); }

  // Samples that were dropped since init because the reader was too slow.
  uint32_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  int16_t* storage_ = nullptr;
  uint32_t capacity_ = 0;
  // Free-running counts: their difference is right also after they have wrapped.
  std::atomic<uint32_t> written_{0};
  std::atomic<uint32_t> read_{0};
  std::atomic<uint32_t> dropped_{0};
};

#endif  // KWS_PCM_RING_H_
