#pragma once

struct PdmMicrophone {
  int begin(int channels, int sample_rate);
  int available();
  int read(void* buffer, int size);
  void onReceive(void (*callback)());
};
extern PdmMicrophone PDM;
