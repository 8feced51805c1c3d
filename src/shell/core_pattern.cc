#include "shell/core_pattern.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "base/syscall.h"

namespace culprit {
namespace {

constexpr const char* pattern_file = "/proc/sys/kernel/core_pattern";
constexpr size_t longest_pattern = 127;  // CORENAME_MAX_SIZE, with its end (fs/coredump.c)

std::string own_path() {
  std::array<char, 4096> path;
  ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : "";
}

Result<void> write_pattern(const std::string& pattern) {
  auto file = open_file(pattern_file, O_WRONLY);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  return write_all(file->get(), pattern + "\n");
}

// On disk before the kernel's line changes: a crash of the machine must not lose what stood there.
Result<void> remember(const std::string& path, const std::string& pattern) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  CULPRIT_TRY(write_all(file->get(), pattern));
  CULPRIT_TRY(checked("write " + path, [&] { return ::fsync(file->get()); }));
  return {};
}

}  // namespace

std::string CorePattern::current() const {
  std::string pattern = read_whole_file(pattern_file, 4096).value_or("");
  if (pattern.ends_with('\n')) pattern.pop_back();
  return pattern;
}

std::string CorePattern::former() const {
  return read_whole_file(folder_.path() + "/former_pattern", 4096).value_or("");
}

bool CorePattern::is_installed() const {
  auto written = read_whole_file(folder_.path() + "/installed_pattern", 4096);
  return written && *written == current();
}

Result<void> CorePattern::install() const {
  if (is_installed()) return fail(ErrorKind::usage, "it is installed already; `culprit catch uninstall` takes it out");
  std::string program = own_path();
  std::string folder = folder_.path() == CatchFolder::usual_place ? "" : " --state " + folder_.path();
  std::string pattern = fmt::format("|{} catch handle{} %P", program, folder);
  bool has_blank = program.empty() || program.find(' ') != program.npos || folder_.path().find(' ') != program.npos;
  if (has_blank || pattern.size() > longest_pattern || pattern.find('%') != pattern.rfind('%'))
    return fail(ErrorKind::unsupported,
                fmt::format("the kernel takes a line of {} bytes and no blanks or % in paths: \"{}\" is not possible; "
                            "install culprit elsewhere",
                            longest_pattern, pattern));
  CULPRIT_TRY(remember(folder_.path() + "/former_pattern", current()));
  CULPRIT_TRY(remember(folder_.path() + "/installed_pattern", pattern));
  auto written = write_pattern(pattern);
  if (written && is_installed()) return {};
  ::unlink((folder_.path() + "/installed_pattern").c_str());
  ::unlink((folder_.path() + "/former_pattern").c_str());
  if (!written) return fail(ErrorKind::no_access, "to catch crashes takes root: " + written.error().what);
  return fail(ErrorKind::unsupported, "the kernel has not taken the line: its core_pattern is \"" + current() + "\"");
}

Result<void> CorePattern::uninstall() const {
  auto written = read_whole_file(folder_.path() + "/installed_pattern", 4096);
  if (!written)
    return fail(ErrorKind::not_found, "it is not installed: the kernel's core_pattern is \"" + current() + "\"");
  std::string before = former(), now = current();
  Result<void> restored;
  if (now == *written)
    restored = write_pattern(before);
  else if (now != before)
    restored = fail(ErrorKind::usage,
                    fmt::format("somebody has changed the kernel's core_pattern to \"{}\" meanwhile: it is left as it "
                                "is; before `culprit catch install` it was \"{}\"",
                                now, before));
  if (!restored && restored.error().kind != ErrorKind::usage) return restored;
  ::unlink((folder_.path() + "/installed_pattern").c_str());
  ::unlink((folder_.path() + "/former_pattern").c_str());
  return restored;
}

}  // namespace culprit
