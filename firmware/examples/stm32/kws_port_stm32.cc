// Microphone, clock and log of an STM32 with the HAL of STM32Cube. The microphone is an I2S or SAI peripheral with a circular DMA of 16-bit
// samples, set up in CubeMX at the rate of the model under the handle hi2s2; a PDM microphone needs ST's PDM2PCM library in between. Names of
// handles are those of your project.
#include <cstring>

#include "kws_model_config.h"
#include "kws_pcm_ring.h"
#include "kws_port.h"
#include "main.h"

extern "C" {
extern I2S_HandleTypeDef hi2s2;
extern UART_HandleTypeDef huart2;
}

namespace {

constexpr uint32_t kHalfSamples = 256;
// I2S always carries two channels; the microphone is the left one.
constexpr uint32_t kChannels = 2;
int16_t dma_storage[2 * kHalfSamples * kChannels];
int16_t ring_storage[4096];
KwsPcmRing ring;

void take_half(const int16_t* half) {
  static int16_t block[kHalfSamples];
  for (uint32_t i = 0; i < kHalfSamples; ++i) block[i] = half[i * kChannels];
  ring.write(block, kHalfSamples);
}

}  // namespace

extern "C" void HAL_I2S_RxHalfCpltCallback(I2S_HandleTypeDef* handle) {
  if (handle == &hi2s2) take_half(dma_storage);
}

extern "C" void HAL_I2S_RxCpltCallback(I2S_HandleTypeDef* handle) {
  if (handle == &hi2s2) take_half(dma_storage + kHalfSamples * kChannels);
}

bool kws_port_start_microphone() {
  if (!ring.init(ring_storage, sizeof(ring_storage) / sizeof(ring_storage[0]))) return false;
  return HAL_I2S_Receive_DMA(&hi2s2, reinterpret_cast<uint16_t*>(dma_storage), sizeof(dma_storage) / sizeof(dma_storage[0])) == HAL_OK;
}

uint32_t kws_port_read_microphone(int16_t* pcm, uint32_t n_samples) { return ring.read(pcm, n_samples); }

uint32_t kws_port_lost_samples() { return ring.dropped(); }

uint32_t kws_port_microseconds() {
  // Here, because the self-test asks for the time before there is a microphone.
  CoreDebug->DEMCR |= CoreDebug_DEMCR_TRCENA_Msk;
  DWT->CTRL |= DWT_CTRL_CYCCNTENA_Msk;
  // The counter of cycles wraps after half a minute; the sum of what passed between two calls does not.
  static uint32_t last_cycles = 0, microseconds = 0;
  const uint32_t cycles_per_microsecond = SystemCoreClock / 1000000;
  const uint32_t passed = (DWT->CYCCNT - last_cycles) / cycles_per_microsecond;
  last_cycles += passed * cycles_per_microsecond;
  microseconds += passed;
  return microseconds;
}

void kws_port_log(const char* line) {
  HAL_UART_Transmit(&huart2, reinterpret_cast<const uint8_t*>(line), static_cast<uint16_t>(std::strlen(line)), HAL_MAX_DELAY);
  HAL_UART_Transmit(&huart2, reinterpret_cast<const uint8_t*>("\r\n"), 2, HAL_MAX_DELAY);
}
