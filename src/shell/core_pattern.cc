#include "shell/core_pattern.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/syscall.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr const char* pattern_file = "/proc/sys/kernel/core_pattern";
constexpr size_t longest_pattern = 127;  // CORENAME_MAX_SIZE, with its end (fs/coredump.c)
constexpr std::string_view handler = " catch handle", state_option = " --state ", process = " %P";
constexpr std::string_view kernels_own = "core";

std::string own_path() {
  std::array<char, 4096> path;
  ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : "";
}

// On disk before the kernel's line changes: a crash of the machine must not lose what stood there.
Result<void> remember(const std::string& path, const std::string& pattern) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  CULPRIT_TRY(write_all(file->get(), pattern));
  CULPRIT_TRY(checked("write " + path, [&] { return ::fsync(file->get()); }));
  return {};
}

std::string former_in(const std::string& folder) { return folder + "/former_pattern"; }

std::optional<std::string> pattern_in(const std::string& path) {
  auto text = read_whole_file(path, 4096);
  return text ? std::optional(*text) : std::nullopt;
}

}  // namespace

std::optional<std::string> folder_in_pattern(std::string_view pattern) {
  size_t at = pattern.find(handler);
  if (!pattern.starts_with('|') || at == pattern.npos || !pattern.ends_with(process)) return {};
  std::string_view rest = pattern.substr(at + handler.size());
  rest.remove_suffix(std::min(rest.size(), process.size()));
  if (rest.empty()) return std::string(CatchFolder::usual_place);
  if (!rest.starts_with(state_option)) return {};
  return std::string(rest.substr(state_option.size()));
}

std::string CorePattern::current() const {
  std::string pattern = read_whole_file(pattern_file, 4096).value_or("");
  if (pattern.ends_with('\n')) pattern.pop_back();
  return pattern;
}

std::string CorePattern::former_place() const { return former_in(folder_.path()); }
std::optional<std::string> CorePattern::former() const { return pattern_in(former_place()); }
bool CorePattern::is_installed() const { return folder_in_pattern(current()) == folder_.path(); }

Result<std::string> CorePattern::own_line() const {
  std::string program = own_path();
  std::string folder = folder_.path() == CatchFolder::usual_place ? "" : std::string(state_option) + folder_.path();
  std::string line = fmt::format("|{}{}{}{}", program, handler, folder, process);
  bool has_blank = program.empty() || program.find(' ') != program.npos || folder_.path().find(' ') != program.npos;
  if (!has_blank && line.size() <= longest_pattern && line.find('%') == line.rfind('%')) return line;
  return fail(ErrorKind::unsupported,
              fmt::format("the kernel takes a line of {} bytes and no blanks or % in paths: \"{}\" is not possible; "
                          "install culprit elsewhere",
                          longest_pattern, printable(line)));
}

// Culprit's own line is nobody's former one: what its folder knows counts.
Result<void> CorePattern::keep_former(const std::string& before) const {
  auto its_folder = folder_in_pattern(before);
  if (!its_folder) return remember(former_place(), before);
  if (*its_folder == folder_.path()) return {};
  ::unlink(former_place().c_str());
  if (auto known = pattern_in(former_in(*its_folder))) return remember(former_place(), *known);
  return {};
}

Result<void> CorePattern::write(int file, const std::string& pattern) const {
  CULPRIT_TRY(write_all(file, pattern + "\n"));
  if (current() == pattern) return {};
  return fail(ErrorKind::unsupported,
              fmt::format("the kernel has not taken the line \"{}\": its core_pattern is \"{}\"", printable(pattern),
                          printable(current())));
}

Result<void> CorePattern::install(const CatchSettings& settings) const {
  auto line = own_line();
  if (!line) return tl::unexpected<Error>(std::move(line).error());
  auto file = open_file(pattern_file, O_WRONLY);
  if (!file) return fail(ErrorKind::no_access, "to catch crashes takes root: " + file.error().what);
  const std::string before = current();
  const bool is_new = ::access(folder_.path().c_str(), F_OK) != 0;
  auto done = folder_.make();
  if (done) done = folder_.write_settings(settings);
  if (done) done = keep_former(before);
  if (done) done = write(file->get(), *line);
  auto its_folder = folder_in_pattern(before);
  if (done && its_folder && *its_folder != folder_.path()) ::unlink(former_in(*its_folder).c_str());
  std::error_code ignored;
  if (!done && is_new) std::filesystem::remove_all(folder_.path(), ignored);
  if (!done && !is_new && !its_folder) ::unlink(former_place().c_str());
  return done;
}

Result<bool> CorePattern::uninstall() const {
  auto before = former();
  const std::string now = current();
  const bool is_ours = is_installed();
  if (auto other = folder_in_pattern(now); other && !is_ours)
    return fail(ErrorKind::usage, fmt::format("crashes are kept in {0}: culprit catch uninstall --state {0} ends that",
                                              printable(*other)));
  if (!is_ours && !before)
    return fail(ErrorKind::not_found,
                fmt::format("it is not installed: the kernel's core_pattern is \"{}\"", printable(now)));
  if (is_ours) {
    auto file = open_file(pattern_file, O_WRONLY);
    if (!file) return tl::unexpected<Error>(std::move(file).error());
    CULPRIT_TRY(write(file->get(), before.value_or(std::string(kernels_own))));
  }
  ::unlink(former_place().c_str());
  if (is_ours || now == *before) return before.has_value();
  return fail(ErrorKind::usage,
              fmt::format("somebody has changed the kernel's core_pattern to \"{}\" meanwhile: it is left as it is; "
                          "before `culprit catch install` it was \"{}\"",
                          printable(now), printable(*before)));
}

}  // namespace culprit
