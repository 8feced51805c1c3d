// What is known of one background recorder (`culprit record`), and how it is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culprit {

enum class RecorderState : uint8_t {
  recording,
  ended,  // the recording is complete
  died,   // killed, or could not complete it: what there is lies in the .partial file
};

struct RecorderReport {
  std::string name;
  uint32_t pid = 0;
  RecorderState state = RecorderState::recording;
  std::string what;                  // "every process"
  std::string back_end;              // "bpf"
  std::vector<std::string> refused;  // why not a better one
  std::string file;                  // where the recording is now
  std::string ended_because;         // "--for is over"
  std::string trouble;               // one sentence; empty: none
  bool circular = false;
  uint64_t limit = 0;  // bytes of the file; 0: none
  uint64_t bytes = 0;
  uint64_t events = 0, lost = 0;
  double rate = 0;  // events per second, lately
  uint32_t processes = 0;
  double elapsed = 0;        // seconds
  double complete_from = 0;  // of a circular one: seconds after the start; 0: nothing has fallen out
  double cpu = 0;            // seconds that the recorder itself has used
  uint64_t memory = 0;       // bytes of it that are resident
  double longest_stop = 0;   // of a thread of the recorded process, seconds
};

// When it has begun, while it records, when it has ended.
std::string recorder_begun_text(const RecorderReport& report);
std::string recorder_status_text(const std::vector<RecorderReport>& reports);
std::string recorder_ended_text(const RecorderReport& report);

std::string recorder_as_json(const RecorderReport& report);
std::string recorders_as_json(const std::vector<RecorderReport>& reports);
// nullopt: nothing that recorder_as_json wrote.
std::optional<RecorderReport> recorder_from_json(std::string_view text);

}  // namespace culprit
