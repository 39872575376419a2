#include "kws_score_bytes.h"

void kws_score_bytes(const int8_t* logits, int n_classes, const uint32_t* exponentials, uint8_t* scores) {
  int highest = logits[0];
  for (int i = 1; i < n_classes; ++i) {
    if (logits[i] > highest) highest = logits[i];
  }
  uint32_t sum = 0;
  for (int i = 0; i < n_classes; ++i) sum += exponentials[highest - logits[i]];
  for (int i = 0; i < n_classes; ++i) {
    scores[i] = static_cast<uint8_t>((255 * exponentials[highest - logits[i]] + sum / 2) / sum);
  }
}
