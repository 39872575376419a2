// Keyword spotting on an Arduino of the Nano 33 BLE Sense class (nRF52840): microphone on the board, events on the serial monitor, LED on
// while an event goes on. kws_port_arduino.h has what belongs to the board.
//
// Expects a library of TensorFlow Lite Micro of March 2025 or later; docs/microcontrollers.md says how to get one.
#include "kws_engine.h"
#include "kws_labels.h"
#include "kws_line.h"
#include "kws_listener.h"
#include "kws_port_arduino.h"
#include "kws_self_test.h"

alignas(16) static uint8_t arena[kws_model::kArenaBytes];
static KwsEngine engine;
static KwsListener listener;
static KwsStatus status = KwsStatus::kNotReady;

static void on_event(KwsChange change, const KwsEvent& event) {
  digitalWrite(LED_BUILTIN, change == KwsChange::kStarted ? HIGH : LOW);
  if (change != KwsChange::kStarted) return;
  const char* word = kws_model::kLabels[kws_model::kKeywordClasses[event.keyword]];
  kws_port_log(KwsLine().text(word).text(" score ").number(event.score).text(" of 255").c_str());
}

void setup() {
  pinMode(LED_BUILTIN, OUTPUT);
  Serial.begin(115200);
  // Long enough to open the serial monitor, short enough to run without one.
  for (uint32_t start = millis(); !Serial && millis() - start < 3000;) delay(10);
  status = engine.init(arena, sizeof(arena));
  KwsSelfTest self_test;
  if (status == KwsStatus::kOk) self_test.run(engine);
  if (status == KwsStatus::kOk) status = listener.init(engine, kws_model::kDefaultPreset, on_event);
  if (status != KwsStatus::kOk) kws_port_log(kws_status_text(status));
}

void loop() {
  if (status == KwsStatus::kOk) {
    status = listener.poll();
    if (status != KwsStatus::kOk) kws_port_log(kws_status_text(status));
  }
}
