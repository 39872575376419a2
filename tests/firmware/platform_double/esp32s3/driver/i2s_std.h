#pragma once
#include <cstddef>
#include <cstdint>

#include "driver/gpio.h"

using esp_err_t = int;
constexpr esp_err_t ESP_OK = 0;
struct i2s_channel_t;
using i2s_chan_handle_t = i2s_channel_t*;
enum i2s_port_t { I2S_NUM_AUTO };
enum i2s_role_t { I2S_ROLE_MASTER };
enum i2s_data_bit_width_t { I2S_DATA_BIT_WIDTH_32BIT = 32 };
enum i2s_slot_mode_t { I2S_SLOT_MODE_MONO = 1 };
enum i2s_std_slot_mask_t { I2S_STD_SLOT_LEFT = 1 };
constexpr gpio_num_t I2S_GPIO_UNUSED = static_cast<gpio_num_t>(-1);
struct i2s_chan_config_t {
  i2s_port_t id;
  i2s_role_t role;
  uint32_t dma_desc_num, dma_frame_num;
};
struct i2s_std_clk_config_t {
  uint32_t sample_rate_hz;
};
struct i2s_std_slot_config_t {
  i2s_data_bit_width_t data_bit_width;
  i2s_slot_mode_t slot_mode;
  i2s_std_slot_mask_t slot_mask;
};
struct i2s_std_gpio_config_t {
  gpio_num_t mclk, bclk, ws, dout, din;
};
struct i2s_std_config_t {
  i2s_std_clk_config_t clk_cfg;
  i2s_std_slot_config_t slot_cfg;
  i2s_std_gpio_config_t gpio_cfg;
};
struct i2s_event_data_t {
  void* dma_buf;
  size_t size;
};
using i2s_isr_callback_t = bool (*)(i2s_chan_handle_t handle, i2s_event_data_t* event, void* user_ctx);
struct i2s_event_callbacks_t {
  i2s_isr_callback_t on_recv, on_recv_q_ovf, on_sent, on_send_q_ovf;
};
#define I2S_CHANNEL_DEFAULT_CONFIG(port, role) {port, role, 6, 240}
#define I2S_STD_CLK_DEFAULT_CONFIG(rate) {rate}
#define I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(bits, mode) {bits, mode, I2S_STD_SLOT_LEFT}
esp_err_t i2s_new_channel(const i2s_chan_config_t* config, i2s_chan_handle_t* transmit, i2s_chan_handle_t* receive);
esp_err_t i2s_channel_init_std_mode(i2s_chan_handle_t handle, const i2s_std_config_t* config);
esp_err_t i2s_channel_register_event_callback(i2s_chan_handle_t handle, const i2s_event_callbacks_t* callbacks, void* user_data);
esp_err_t i2s_channel_enable(i2s_chan_handle_t handle);
esp_err_t i2s_channel_read(i2s_chan_handle_t handle, void* target, size_t size, size_t* bytes_read, uint32_t timeout_ms);
