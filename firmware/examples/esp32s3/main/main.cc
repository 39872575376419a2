// Keyword spotting on an ESP32-S3 with ESP-IDF: events in the log. port.cc has the I2S microphone.
//
// Expects the component espressif/esp-tflite-micro, which idf_component.yml names; idf.py fetches it.
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "kws_engine.h"
#include "kws_labels.h"
#include "kws_line.h"
#include "kws_listener.h"
#include "kws_port.h"
#include "kws_self_test.h"

namespace {

// In internal memory, which is several times as fast as PSRAM.
alignas(16) uint8_t arena[kws_model::kArenaBytes];
KwsEngine engine;
KwsListener listener;

void on_event(KwsChange change, const KwsEvent& event) {
  if (change != KwsChange::kStarted) return;
  const char* word = kws_model::kLabels[kws_model::kKeywordClasses[event.keyword]];
  kws_port_log(KwsLine().text(word).text(" score ").number(event.score).text(" of 255").c_str());
}

}  // namespace

extern "C" void app_main() {
  KwsStatus status = engine.init(arena, sizeof(arena));
  KwsSelfTest self_test;
  if (status == KwsStatus::kOk) self_test.run(engine);
  if (status == KwsStatus::kOk) status = listener.init(engine, kws_model::kDefaultPreset, on_event);
  // Reading the microphone waits for samples, so that other tasks run in between.
  while (status == KwsStatus::kOk) status = listener.poll();
  kws_port_log(kws_status_text(status));
  vTaskDelay(portMAX_DELAY);
}
