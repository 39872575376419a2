#include "kws_clip_window.h"

#include <cstring>

void KwsClipWindow::init(int16_t* storage, uint32_t n_samples) {
  storage_ = storage;
  n_samples_ = n_samples;
  reset();
}

void KwsClipWindow::reset() {
  oldest_ = 0;
  std::memset(storage_, 0, sizeof(storage_[0]) * n_samples_);
}

void KwsClipWindow::push(const int16_t* pcm, uint32_t n_samples) {
  if (n_samples > n_samples_) {
    pcm += n_samples - n_samples_;
    n_samples = n_samples_;
  }
  const uint32_t to_end = n_samples_ - oldest_;
  const uint32_t first = n_samples < to_end ? n_samples : to_end;
  std::memcpy(storage_ + oldest_, pcm, sizeof(pcm[0]) * first);
  std::memcpy(storage_, pcm + first, sizeof(pcm[0]) * (n_samples - first));
  oldest_ = (oldest_ + n_samples) % n_samples_;
}

void KwsClipWindow::copy_to(int16_t* clip) const {
  const uint32_t to_end = n_samples_ - oldest_;
  std::memcpy(clip, storage_ + oldest_, sizeof(clip[0]) * to_end);
  std::memcpy(clip + to_end, storage_, sizeof(clip[0]) * oldest_);
}
