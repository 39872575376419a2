// Logits -> score bytes: probabilities as integers 0 to 255, the same as kws_tf/runtime/score_bytes.py.
#ifndef KWS_SCORE_BYTES_H_
#define KWS_SCORE_BYTES_H_

#include <cstdint>

constexpr int kKwsExponentials = 256;

// Score bytes of one row of int8 logits.
//   exponentials: floor(65536 * exp(-scale * d) + 1/2) for d = 0 to 255, of kws_model_config.h.
//   n_classes: 1 to 255, so that all sums fit 32 bits.
void kws_score_bytes(const int8_t* logits, int n_classes, const uint32_t* exponentials, uint8_t* scores);

#endif  // KWS_SCORE_BYTES_H_
