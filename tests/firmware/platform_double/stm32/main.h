// A stand-in for what the example uses of STM32Cube's HAL, so that a compiler can read the example.
#pragma once
#include <cstdint>

struct I2S_HandleTypeDef {};
struct UART_HandleTypeDef {};
enum HAL_StatusTypeDef { HAL_OK };
constexpr uint32_t HAL_MAX_DELAY = 0xFFFFFFFF, CoreDebug_DEMCR_TRCENA_Msk = 1u << 24, DWT_CTRL_CYCCNTENA_Msk = 1;
struct CoreDebugRegisters {
  volatile uint32_t DEMCR;
};
struct DwtRegisters {
  volatile uint32_t CTRL, CYCCNT;
};
extern CoreDebugRegisters* CoreDebug;
extern DwtRegisters* DWT;
extern uint32_t SystemCoreClock;

extern "C" {
HAL_StatusTypeDef HAL_I2S_Receive_DMA(I2S_HandleTypeDef* handle, uint16_t* data, uint16_t size);
HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef* handle, const uint8_t* data, uint16_t size, uint32_t timeout);
void HAL_I2S_RxHalfCpltCallback(I2S_HandleTypeDef* handle);
void HAL_I2S_RxCpltCallback(I2S_HandleTypeDef* handle);
}
