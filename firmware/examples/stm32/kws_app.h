// Keyword spotting in a project of STM32CubeIDE: call these two from main.c.
#ifndef KWS_APP_H_
#define KWS_APP_H_

#ifdef __cplusplus
extern "C" {
#endif

// Once, when clocks and peripherals are set up.
void kws_app_start(void);

// In the main loop, more often than once per hop.
void kws_app_poll(void);

#ifdef __cplusplus
}
#endif

#endif  // KWS_APP_H_
