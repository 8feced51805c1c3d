#include "shell/live_target.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "base/text.h"
#include "capture/watch_filter.h"
#include "shell/agent_location.h"
#include "shell/values.h"

namespace culprit {
namespace {

std::string name_of_process(uint32_t pid) {
  auto name = read_whole_file(fmt::format("/proc/{}/comm", pid), 64);
  if (!name) return "?";
  while (!name->empty() && name->back() == '\n') name->pop_back();
  return printable(*name);
}

}  // namespace

Result<std::optional<uint32_t>> process_target(const std::string& target) {
  bool is_number = !target.empty() && std::ranges::all_of(target, [](char c) { return c >= '0' && c <= '9'; });
  if (is_number) {
    auto pid = parse_count(target);
    if (!pid || *pid > INT32_MAX) return fail(ErrorKind::gone, fmt::format("there is no process {}", target));
    return std::optional(static_cast<uint32_t>(*pid));
  }
  if (target.find('/') != std::string::npos || access(target.c_str(), F_OK) == 0) return std::optional<uint32_t>();
  WatchRequest by_name;
  by_name.names = {target};
  std::vector<uint32_t> pids = processes_meant(by_name);
  if (pids.empty()) return std::optional<uint32_t>();
  if (pids.size() == 1) return std::optional(pids.front());
  std::string list;
  for (uint32_t pid : pids) list += fmt::format("{}{}", list.empty() ? "" : ", ", pid);
  return fail(ErrorKind::usage, fmt::format("several processes are called {}: say which one of {}", target, list));
}

Result<LiveRequest> live_request(uint32_t pid, const Arguments& arguments) {
  LiveRequest request;
  request.watch.pids = {pid};
  request.what = fmt::format("{} ({})", name_of_process(pid), pid);
  request.output = arguments.text("--output");
  if (arguments.has("--via")) {
    auto via = via_named(arguments.text("--via"));
    if (!via) return tl::unexpected<Error>(std::move(via).error());
    request.via = *via;
  }
  request.libraries.patching = find_agent_library().value_or("");
  request.libraries.wrapping = find_agent_library(AgentKind::wrapping).value_or("");
  return request;
}

std::string about_session(const LiveSession& session, uint32_t pid) {
  std::string text =
      fmt::format("recording the handles of {} ({}) by {}\n", name_of_process(pid), pid, session.back_end());
  for (const std::string& reason : session.refused()) text += fmt::format("  not by {}\n", printable(reason));
  return text;
}

std::string sizes_in_words(const BlockSizes& sizes) {
  if (sizes.least == sizes.most) return fmt::format("{} bytes", with_thousands(sizes.least));
  return fmt::format("{} to {} bytes", with_thousands(sizes.least), with_thousands(sizes.most));
}

std::string about_stops(const RecorderStatus& status) {
  if (status.longest_stop == 0) return "";
  return fmt::format("the process was stopped for {:.1f} ms at most\n", static_cast<double>(status.longest_stop) / 1e6);
}

}  // namespace culprit
