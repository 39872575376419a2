// Listens to a recording on a PC: 16-bit mono WAV, or the bare samples of one, from standard input.
//
//   ./kws < recording.wav              one line for every event that starts or ends
//   ./kws --scores < recording.wav     the score bytes of every score as well
//   ./kws --self-test                  the golden audio alone; status 1 if a byte differs
//
// The self-test runs first in any case, as on a board. The log goes to standard error.
#include <chrono>
#include <cstdio>
#include <cstring>

#include "kws_engine.h"
#include "kws_labels.h"
#include "kws_listener.h"
#include "kws_port.h"
#include "kws_self_test.h"

namespace {

alignas(16) uint8_t arena[kws_model::kArenaBytes];
KwsEngine engine;
KwsListener listener;
bool input_ended = false;
// Bytes of samples that are still to come; infinite for bare PCM, and where a header that went through a pipe cannot know.
uint64_t bytes_left = UINT64_MAX;
constexpr uint32_t kUnknownBytes = 0x7FFF0000;

uint32_t little_endian(const uint8_t* bytes, int n_bytes) {
  uint32_t value = 0;
  for (int i = 0; i < n_bytes; ++i) value |= static_cast<uint32_t>(bytes[i]) << (8 * i);
  return value;
}

bool read_bytes(uint8_t* bytes, size_t n_bytes) { return std::fread(bytes, 1, n_bytes, stdin) == n_bytes; }

// Reads up to the first sample. Returns the bytes of bare PCM that were read to find out that there is no header, or -1 for a file that is
// not 16-bit mono PCM at the model's rate.
int skip_header(uint8_t* start) {
  const size_t n_read = std::fread(start, 1, 12, stdin);
  if (n_read < 12 || std::memcmp(start, "RIFF", 4) != 0 || std::memcmp(start + 8, "WAVE", 4) != 0) return static_cast<int>(n_read);
  uint8_t chunk[8];
  bool known = false;
  while (read_bytes(chunk, sizeof(chunk))) {
    uint32_t n_bytes = little_endian(chunk + 4, 4);
    if (std::memcmp(chunk, "data", 4) == 0) {
      if (n_bytes > 0 && n_bytes < kUnknownBytes) bytes_left = n_bytes;
      return known ? 0 : -1;
    }
    n_bytes += n_bytes % 2;
    if (std::memcmp(chunk, "fmt ", 4) == 0) {
      uint8_t format[16];
      if (n_bytes < sizeof(format) || !read_bytes(format, sizeof(format))) return -1;
      n_bytes -= sizeof(format);
      known = little_endian(format + 2, 2) == 1 && little_endian(format + 14, 2) == 16 &&
              little_endian(format + 4, 4) == static_cast<uint32_t>(kws_model::kSampleRate);
      if (!known) return -1;
    }
    for (uint8_t skipped = 0; n_bytes > 0 && read_bytes(&skipped, 1);) --n_bytes;
  }
  return -1;
}

uint8_t first_bytes[12];
uint32_t n_first_bytes = 0;

void print_event(KwsChange change, const KwsEvent& event) {
  const char* word = kws_model::kLabels[kws_model::kKeywordClasses[event.keyword]];
  std::printf("%s\t%s\t%d\t%llu\t%llu\t%llu\n", change == KwsChange::kStarted ? "started" : "ended", word, event.score,
              static_cast<unsigned long long>(event.start_sample), static_cast<unsigned long long>(event.peak_sample),
              static_cast<unsigned long long>(event.end_sample));
}

void print_scores(const uint8_t* scores, uint64_t end_sample) {
  std::printf("scores\t%llu", static_cast<unsigned long long>(end_sample));
  for (int i = 0; i < kws_model::kClasses; ++i) std::printf("\t%d", scores[i]);
  std::printf("\n");
}

}  // namespace

bool kws_port_start_microphone() {
  const int n_bytes = skip_header(first_bytes);
  if (n_bytes < 0) std::fprintf(stderr, "standard input is no 16-bit mono WAV file of %d Hz\n", kws_model::kSampleRate);
  n_first_bytes = n_bytes < 0 ? 0 : static_cast<uint32_t>(n_bytes) / 2 * 2;
  return n_bytes >= 0;
}

uint32_t kws_port_read_microphone(int16_t* pcm, uint32_t n_samples) {
  if (n_first_bytes > 0) {
    const uint32_t n_bytes = n_first_bytes < 2 * n_samples ? n_first_bytes : 2 * n_samples;
    std::memcpy(pcm, first_bytes, n_bytes);
    n_first_bytes -= n_bytes;
    std::memmove(first_bytes, first_bytes + n_bytes, n_first_bytes);
    return n_bytes / 2;
  }
  const uint64_t samples_left = bytes_left / sizeof(pcm[0]);
  const size_t wanted = n_samples < samples_left ? n_samples : static_cast<size_t>(samples_left);
  const size_t received = std::fread(pcm, sizeof(pcm[0]), wanted, stdin);
  bytes_left -= received * sizeof(pcm[0]);
  input_ended = received == 0;
  return static_cast<uint32_t>(received);
}

uint32_t kws_port_lost_samples() { return 0; }

uint32_t kws_port_microseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

void kws_port_log(const char* line) { std::fprintf(stderr, "%s\n", line); }

int main(int n_arguments, char** arguments) {
  const bool scores = n_arguments == 2 && std::strcmp(arguments[1], "--scores") == 0;
  const bool self_test_only = n_arguments == 2 && std::strcmp(arguments[1], "--self-test") == 0;
  if (n_arguments > 1 && !scores && !self_test_only) {
    std::fprintf(stderr, "expected --scores, --self-test or nothing; received %s\n", arguments[n_arguments - 1]);
    return 2;
  }
  KwsStatus status = engine.init(arena, sizeof(arena));
  KwsSelfTest self_test;
  if (status == KwsStatus::kOk && !self_test.run(engine)) return 1;
  if (status == KwsStatus::kOk && self_test_only) return 0;
  if (status == KwsStatus::kOk) status = listener.init(engine, kws_model::kDefaultPreset, print_event, scores ? print_scores : nullptr);
  while (status == KwsStatus::kOk && !input_ended) status = listener.poll();
  if (status != KwsStatus::kOk) kws_port_log(kws_status_text(status));
  return status == KwsStatus::kOk ? 0 : 1;
}
