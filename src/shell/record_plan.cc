#include "shell/record_plan.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "shell/agent_location.h"
#include "shell/live_target.h"
#include "shell/values.h"
#include "trace/trace_format.h"

namespace culprit {

namespace {

constexpr size_t longest_name = 48;  // of a recorder: its socket's path is short
constexpr uint64_t least_memory = uint64_t{8} << 20;

std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> items;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    if (end > at) items.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return items;
}

Result<uint32_t> user_id(const std::string& user) {
  if (auto number = parse_count(user); number && *number < UINT32_MAX) return static_cast<uint32_t>(*number);
  if (user == "0") return 0;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return fail(ErrorKind::usage, fmt::format("there is no user {}", user));
  return entry.pw_uid;
}

// "processes called nginx, of the user www-data": for people, and the recording's header.
std::string words_for(const Arguments& arguments) {
  if (arguments.has("--all")) return "every process";
  struct Part {
    const char* option;
    const char* words;
  };
  std::string text;
  for (const Part& part : {Part{"--pid", "process "}, Part{"--name", "processes called "},
                           Part{"--cgroup", "processes in "}, Part{"--uid", "processes of the user "}}) {
    if (!arguments.has(part.option)) continue;
    std::string list;
    for (const std::string& item : list_of(arguments.text(part.option)))
      list += fmt::format("{}{}", list.empty() ? "" : ", ", item);
    text += fmt::format("{}{}{}", text.empty() ? "" : "; ", part.words, list);
  }
  return text;
}

Result<WatchRequest> parse_watch(const Arguments& arguments) {
  WatchRequest watch;
  watch.all = arguments.has("--all");
  for (const std::string& pid : list_of(arguments.text("--pid"))) {
    auto number = parse_count(pid);
    if (!number || *number > INT32_MAX)
      return fail(ErrorKind::usage, fmt::format("--pid wants process numbers, not '{}'", pid));
    watch.pids.push_back(static_cast<uint32_t>(*number));
  }
  watch.names = list_of(arguments.text("--name"));
  for (const std::string& cgroup : list_of(arguments.text("--cgroup"))) {
    const bool is_whole = cgroup.starts_with("/sys/fs/cgroup");
    watch.cgroups.push_back(is_whole ? cgroup
                                     : fmt::format("/sys/fs/cgroup/{}", cgroup.substr(cgroup[0] == '/' ? 1 : 0)));
  }
  for (const std::string& user : list_of(arguments.text("--uid"))) {
    auto id = user_id(user);
    if (!id) return tl::unexpected<Error>(id.error());
    watch.users.push_back(*id);
  }
  const bool names_some = !watch.pids.empty() || !watch.names.empty() || !watch.cgroups.empty() || !watch.users.empty();
  if (watch.all && names_some) return fail(ErrorKind::usage, "--all is every process: no others need be named");
  if (!watch.all && !names_some)
    return fail(ErrorKind::usage, "say what to record: --all, --pid, --name, --cgroup or --uid");
  watch.buffer_bytes = arguments.bytes("--buffer", watch.buffer_bytes);
  watch.memory_bytes = arguments.bytes("--memory", watch.memory_bytes);
  if (watch.memory_bytes < least_memory) return fail(ErrorKind::usage, "--memory: a recorder needs 8M at least");
  return watch;
}

Result<RecordingBounds> parse_bounds(const Arguments& arguments, uint64_t memory) {
  RecordingBounds bounds;
  bounds.memory = memory;
  bounds.max_size = arguments.bytes("--max-size", 0);
  bounds.circular = arguments.bytes("--circular", 0);
  bounds.types = list_of(arguments.text("--types"));
  if (bounds.max_size != 0 && bounds.circular != 0)
    return fail(ErrorKind::usage, "--circular keeps the newest, --max-size the oldest: take one of them");
  for (uint64_t bytes : {bounds.max_size, bounds.circular}) {
    if (bytes != 0 && bytes < trace_format::smallest_recording)
      return fail(ErrorKind::usage, "--max-size and --circular need 1M at least");
  }
  return bounds;
}

// Of the first number for which there is no recording yet.
std::string free_file() {
  for (int number = 1;; ++number) {
    std::string file = fmt::format("culprit-{}.culprit", number);
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored) && !std::filesystem::exists(file + ".partial", ignored)) return file;
  }
}

std::string name_from(const std::string& file) {
  std::filesystem::path path(file);
  std::string name = path.extension() == ".culprit" ? path.stem().string() : path.filename().string();
  name.resize(std::min(name.size(), longest_name));
  return name;
}

}  // namespace

Result<RecorderPlan> parse_record_plan(const Arguments& arguments) {
  RecorderPlan plan;
  auto watch = parse_watch(arguments);
  if (!watch) return tl::unexpected<Error>(watch.error());
  auto bounds = parse_bounds(arguments, watch->memory_bytes);
  if (!bounds) return tl::unexpected<Error>(bounds.error());
  if (arguments.has("--via")) {
    auto via = via_named(arguments.text("--via"));
    if (!via) return tl::unexpected<Error>(via.error());
    plan.request.via = *via;
  }
  plan.duration = arguments.nanoseconds("--for");
  if (arguments.has("--stop-when")) {
    plan.stop_when_text = arguments.text("--stop-when");
    auto condition = StopCondition::parse(plan.stop_when_text);
    if (!condition) return tl::unexpected<Error>(condition.error());
    plan.stop_when = std::move(*condition);
  }
  const std::string file = arguments.has("--output") ? arguments.text("--output") : free_file();
  std::error_code failed;
  plan.request.output = std::filesystem::absolute(file, failed).string();
  if (failed) return fail(ErrorKind::system, fmt::format("{}: {}", file, failed.message()));
  plan.name = name_from(file);
  plan.request.what = words_for(arguments);
  plan.request.watch = std::move(*watch);
  plan.request.bounds = std::move(*bounds);
  plan.request.libraries.patching = find_agent_library().value_or("");
  plan.request.libraries.wrapping = find_agent_library(AgentKind::wrapping).value_or("");
  return plan;
}

}  // namespace culprit
