// Keyword spotting on an STM32: kws_app.h for main.c, kws_port_stm32.cc for microphone, clock and log.
//
// Expects the sources of TensorFlow Lite Micro in the project, of March 2025 or later; docs/microcontrollers.md says how to get them.
#include "kws_app.h"

#include "kws_engine.h"
#include "kws_labels.h"
#include "kws_line.h"
#include "kws_listener.h"
#include "kws_port.h"
#include "kws_self_test.h"

namespace {

alignas(16) uint8_t arena[kws_model::kArenaBytes];
KwsEngine engine;
KwsListener listener;
KwsStatus status = KwsStatus::kNotReady;

void on_event(KwsChange change, const KwsEvent& event) {
  if (change != KwsChange::kStarted) return;
  const char* word = kws_model::kLabels[kws_model::kKeywordClasses[event.keyword]];
  kws_port_log(KwsLine().text(word).text(" score ").number(event.score).text(" of 255").c_str());
}

}  // namespace

void kws_app_start(void) {
  status = engine.init(arena, sizeof(arena));
  KwsSelfTest self_test;
  if (status == KwsStatus::kOk) self_test.run(engine);
  if (status == KwsStatus::kOk) status = listener.init(engine, kws_model::kDefaultPreset, on_event);
  if (status != KwsStatus::kOk) kws_port_log(kws_status_text(status));
}

void kws_app_poll(void) {
  if (status != KwsStatus::kOk) return;
  status = listener.poll();
  if (status != KwsStatus::kOk) kws_port_log(kws_status_text(status));
}
