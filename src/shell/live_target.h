// What a command line says about recording processes that run.
#pragma once

#include <optional>
#include <string>

#include "shell/command.h"
#include "shell/live_session.h"

namespace culprit {

// The pid that a target names: a number, or the name of exactly one running program. Nothing: it names no process.
// An error: it names several.
Result<std::optional<uint32_t>> process_target(const std::string& target);

// For one process, with the options --via and --output.
Result<LiveRequest> live_request(uint32_t pid, const Arguments& arguments);

// "recording the handles of server (1234) by bpf", and why not by a better back end.
std::string about_session(const LiveSession& session, uint32_t pid);
// "42,076 bytes", "100 to 200 bytes"
std::string sizes_in_words(const BlockSizes& sizes);
// "no thread was stopped", "a thread was stopped for 3 ms at most"; empty where nothing was touched.
std::string about_stops(const RecorderStatus& status);

}  // namespace culprit
