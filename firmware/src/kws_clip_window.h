// The last samples of a stream, for a file that scores one clip at once. Starts as silence.
#ifndef KWS_CLIP_WINDOW_H_
#define KWS_CLIP_WINDOW_H_

#include <cstdint>

class KwsClipWindow {
 public:
  // Gives the window its memory, storage[n_samples] of the caller, and resets it.
  void init(int16_t* storage, uint32_t n_samples);

  // Forgets all audio: the window is silence again.
  void reset();

  // Takes the next samples; of more than the window holds, the last ones count.
  void push(const int16_t* pcm, uint32_t n_samples);

  // The window, oldest sample first.
  void copy_to(int16_t* clip) const;

 private:
  int16_t* storage_ = nullptr;
  uint32_t n_samples_ = 0;
  uint32_t oldest_ = 0;
};

#endif  // KWS_CLIP_WINDOW_H_
