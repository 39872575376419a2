// I2S microphone (such as INMP441 or ICS-43434: 24 bits in slots of 32), clock and log of an ESP32-S3. Set the pins to those of your board.
#include "driver/gpio.h"
#include "driver/i2s_std.h"
#include "esp_log.h"
#include "esp_timer.h"
#include "kws_model_config.h"
#include "kws_port.h"

namespace {

constexpr gpio_num_t kClockPin = GPIO_NUM_41, kWordSelectPin = GPIO_NUM_42, kDataPin = GPIO_NUM_2;
// Bits by which a sample of 32 is shifted to 16. 16 takes the upper half; most of these microphones are quiet, and 14 is four times as loud.
constexpr int kShift = 14;
constexpr uint32_t kMostSamples = 256;
constexpr uint32_t kWaitMilliseconds = 10;

i2s_chan_handle_t channel = nullptr;
volatile uint32_t lost_samples = 0;

bool on_overflow(i2s_chan_handle_t, i2s_event_data_t* event, void*) {
  lost_samples = lost_samples + static_cast<uint32_t>(event->size / sizeof(int32_t));
  return false;
}

}  // namespace

bool kws_port_start_microphone() {
  i2s_chan_config_t channel_config = I2S_CHANNEL_DEFAULT_CONFIG(I2S_NUM_AUTO, I2S_ROLE_MASTER);
  channel_config.dma_desc_num = 8;
  channel_config.dma_frame_num = 512;
  if (i2s_new_channel(&channel_config, nullptr, &channel) != ESP_OK) return false;
  i2s_std_config_t config = {};
  config.clk_cfg = I2S_STD_CLK_DEFAULT_CONFIG(static_cast<uint32_t>(kws_model::kSampleRate));
  config.slot_cfg = I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(I2S_DATA_BIT_WIDTH_32BIT, I2S_SLOT_MODE_MONO);
  config.slot_cfg.slot_mask = I2S_STD_SLOT_LEFT;
  config.gpio_cfg.mclk = I2S_GPIO_UNUSED;
  config.gpio_cfg.bclk = kClockPin;
  config.gpio_cfg.ws = kWordSelectPin;
  config.gpio_cfg.dout = I2S_GPIO_UNUSED;
  config.gpio_cfg.din = kDataPin;
  i2s_event_callbacks_t callbacks = {};
  callbacks.on_recv_q_ovf = on_overflow;
  return i2s_channel_init_std_mode(channel, &config) == ESP_OK &&
         i2s_channel_register_event_callback(channel, &callbacks, nullptr) == ESP_OK && i2s_channel_enable(channel) == ESP_OK;
}

uint32_t kws_port_read_microphone(int16_t* pcm, uint32_t n_samples) {
  static int32_t block[kMostSamples];
  const uint32_t wanted = n_samples < kMostSamples ? n_samples : kMostSamples;
  size_t n_bytes = 0;
  i2s_channel_read(channel, block, wanted * sizeof(block[0]), &n_bytes, kWaitMilliseconds);
  const uint32_t received = static_cast<uint32_t>(n_bytes / sizeof(block[0]));
  for (uint32_t i = 0; i < received; ++i) {
    const int32_t value = block[i] >> kShift;
    pcm[i] = static_cast<int16_t>(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
  }
  return received;
}

uint32_t kws_port_lost_samples() { return lost_samples; }

uint32_t kws_port_microseconds() { return static_cast<uint32_t>(esp_timer_get_time()); }

void kws_port_log(const char* line) { ESP_LOGI("kws", "%s", line); }
