// Keyword spotting on a Raspberry Pi Pico: events on the USB serial port. port.cc has an analogue microphone on GPIO 26.
//
// Expects pico-tflmicro, see CMakeLists.txt.
#include "kws_engine.h"
#include "kws_labels.h"
#include "kws_line.h"
#include "kws_listener.h"
#include "kws_port.h"
#include "kws_self_test.h"
#include "pico/stdlib.h"

namespace {

alignas(16) uint8_t arena[kws_model::kArenaBytes];
KwsEngine engine;
KwsListener listener;

void on_event(KwsChange change, const KwsEvent& event) {
  if (change != KwsChange::kStarted) return;
  const char* word = kws_model::kLabels[kws_model::kKeywordClasses[event.keyword]];
  kws_port_log(KwsLine().text(word).text(" score ").number(event.score).text(" of 255").c_str());
}

}  // namespace

int main() {
  stdio_init_all();
  sleep_ms(3000);
  KwsStatus status = engine.init(arena, sizeof(arena));
  KwsSelfTest self_test;
  if (status == KwsStatus::kOk) self_test.run(engine);
  if (status == KwsStatus::kOk) status = listener.init(engine, kws_model::kDefaultPreset, on_event);
  while (status == KwsStatus::kOk) status = listener.poll();
  for (;;) {
    kws_port_log(kws_status_text(status));
    sleep_ms(1000);
  }
}
