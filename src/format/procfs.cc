#include "format/procfs.h"

#include <algorithm>

#include "format/fields.h"

namespace culprit {

namespace {

constexpr std::string_view deleted_mark = " (deleted)";

// seq_path() and its kin write some characters as a backslash and three octal digits.
std::string unescape_octal(std::string_view escaped) {
  std::string text;
  for (size_t i = 0; i < escaped.size(); ++i) {
    auto digit = [&](size_t at) { return at < escaped.size() && escaped[at] >= '0' && escaped[at] <= '7'; };
    if (escaped[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      text += static_cast<char>((escaped[i + 1] - '0') * 64 + (escaped[i + 2] - '0') * 8 + (escaped[i + 3] - '0'));
      i += 3;
    } else {
      text += escaped[i];
    }
  }
  return text;
}

// /proc/PID/status writes a newline in the name as \n and a backslash as two (and nothing else).
std::string unescape_name(std::string_view escaped) {
  std::string text;
  for (size_t i = 0; i < escaped.size(); ++i) {
    bool is_pair = escaped[i] == '\\' && i + 1 < escaped.size();
    if (is_pair) ++i;
    text += is_pair && escaped[i] == 'n' ? '\n' : escaped[i];
  }
  return text;
}

std::optional<MapsEntry> parse_maps_line(std::string_view line) {
  std::string_view range = take_word(line), permissions = take_word(line), offset = take_word(line),
                   device = take_word(line), inode = take_word(line);
  MapsEntry entry;
  auto start = leading_number<uint64_t>(take_until(range, '-'), 16), end = leading_number<uint64_t>(range, 16);
  auto file_offset = leading_number<uint64_t>(offset, 16);
  if (!start || !end || *end <= *start || !file_offset || permissions.size() != 4) return {};
  entry.start = *start;
  entry.end = *end;
  entry.offset = *file_offset;
  entry.is_readable = permissions[0] == 'r';
  entry.is_writable = permissions[1] == 'w';
  entry.is_executable = permissions[2] == 'x';
  entry.is_shared = permissions[3] == 's';
  read_number(take_until(device, ':'), entry.device_major, 16);
  read_number(device, entry.device_minor, 16);
  read_number(inode, entry.inode);
  std::string_view path = without_leading_space(line);
  // A file may really be called so; its inode then still is the right one.
  if (path.ends_with(deleted_mark)) {
    entry.is_deleted = true;
    path.remove_suffix(deleted_mark.size());
  }
  entry.path = unescape_octal(path);
  return entry;
}

template <typename Function>
void for_each_key(std::string_view text, Function visit) {  // "Key:\tvalue" lines
  while (!text.empty()) {
    std::string_view value = take_line(text);
    std::string_view key = take_until(value, ':');
    visit(key, without_leading_space(value));
  }
}

void read_status_line(std::string_view key, std::string_view value, ProcessStatus& status) {
  if (key == "Name") status.name = unescape_name(value);
  if (key == "Pid") read_number(value, status.pid);
  if (key == "Tgid") read_number(value, status.process);
  if (key == "PPid") read_number(value, status.parent);
  if (key == "TracerPid") read_number(value, status.tracer);
  if (key == "Threads") read_number(value, status.threads);
  if (key == "FDSize") read_number(value, status.handle_slots);
  if (key == "Seccomp") read_number(value, status.seccomp_mode);
  if (key == "voluntary_ctxt_switches" || key == "nonvoluntary_ctxt_switches")
    status.context_switches += leading_number<uint64_t>(value).value_or(0);
  if (key == "Uid") {
    read_number(take_word(value), status.real_uid);
    read_number(take_word(value), status.effective_uid);
  }
  if (key == "NSpid")
    for (auto word = take_word(value); !word.empty(); word = take_word(value))
      if (auto pid = leading_number<uint32_t>(word)) status.namespaced_pids.push_back(*pid);
}

}  // namespace

std::vector<MapsEntry> parse_maps(std::string_view text) {
  std::vector<MapsEntry> entries;
  while (!text.empty())
    if (auto entry = parse_maps_line(take_line(text))) entries.push_back(std::move(*entry));
  return entries;
}

std::optional<ProcessStatus> parse_status(std::string_view text) {
  ProcessStatus status;
  for_each_key(text, [&](std::string_view key, std::string_view value) { read_status_line(key, value, status); });
  if (status.pid == 0) return {};
  return status;
}

std::optional<ProcessStat> parse_stat(std::string_view text) {
  // "pid (name) state ppid …": the name may hold anything, parentheses and newlines too, so that only the last ')'
  // counts.
  size_t open = text.find('('), close = text.rfind(')');
  auto pid = leading_number<uint32_t>(text);
  if (!pid || open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  ProcessStat stat{.pid = *pid, .name = std::string(text.substr(open + 1, close - open - 1))};
  std::string_view rest = text.substr(close + 1);
  std::string_view state = take_word(rest);
  if (state.size() != 1) return {};
  stat.state = state[0];
  read_number(take_word(rest), stat.parent);
  constexpr int fields_to_flags = 4, fields_to_start = 12;  // ppid is field 4, flags field 9, starttime field 22
  for (int i = 0; i < fields_to_flags; ++i) take_word(rest);
  read_number(take_word(rest), stat.flags);
  for (int i = 0; i < fields_to_start; ++i) take_word(rest);
  auto start = leading_number<uint64_t>(take_word(rest));
  if (!start) return {};
  stat.start_ticks = *start;
  constexpr int fields_to_processor = 16;  // field 39
  for (int i = 0; i < fields_to_processor; ++i) take_word(rest);
  if (auto processor = leading_number<uint16_t>(take_word(rest))) stat.processor = *processor;
  return stat;
}

std::optional<uint64_t> parse_last_run(std::string_view text) {
  // "se.exec_start                                :      13134587.276143" (kernel/sched/debug.c): ms, six digits of ns.
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (take_word(line) != "se.exec_start" || take_word(line) != ":") continue;
    std::string_view number = take_word(line);
    const size_t point = number.find('.');
    if (point == std::string_view::npos || number.size() - point != 7) return {};
    auto milliseconds = leading_number<uint64_t>(number), rest = leading_number<uint64_t>(number.substr(point + 1));
    constexpr uint64_t ns_in_ms = 1'000'000;
    if (!milliseconds || !rest || *milliseconds > UINT64_MAX / ns_in_ms - 1) return {};
    return *milliseconds * ns_in_ms + *rest;
  }
  return {};
}

std::optional<ThreadCall> parse_thread_call(std::string_view text) {
  // "202 0x7ffe… 0x80 0x0 0x0 0x0 0x0 0x7ffe… 0x7f12…", "-1 0x7ffe… 0x7f12…", or "running" (fs/proc/base.c).
  ThreadCall call;
  text = take_line(text);
  auto number = leading_number<int64_t>(take_word(text));
  if (!number) return {};
  call.number = *number;
  auto hexadecimal = [&](uint64_t& into) {
    std::string_view word = take_word(text);
    auto value = word.starts_with("0x") ? leading_number<uint64_t>(word.substr(2), 16) : std::nullopt;
    into = value.value_or(0);
    return value.has_value();
  };
  if (call.number >= 0 && !std::ranges::all_of(call.arguments, hexadecimal)) return {};
  if (!hexadecimal(call.sp) || !hexadecimal(call.pc)) return {};
  return call;
}

std::optional<OpenFilesLimit> parse_open_files_limit(std::string_view text) {
  constexpr std::string_view label = "Max open files";
  auto number = [](std::string_view word) {
    return word == "unlimited" ? std::optional(unlimited) : leading_number<uint64_t>(word);
  };
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!line.starts_with(label)) continue;
    line.remove_prefix(label.size());
    auto soft = number(take_word(line)), hard = number(take_word(line));
    if (!soft || !hard) return {};
    return OpenFilesLimit{*soft, *hard};
  }
  return {};
}

}  // namespace culprit
