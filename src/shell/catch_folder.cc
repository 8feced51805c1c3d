#include "shell/catch_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/syscall.h"
#include "base/text.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int slots = 4;  // each takes some 100 MB
constexpr size_t largest_text = size_t{64} << 20;
constexpr off_t largest_missed = off_t{1} << 20;  // of `missed`, beyond which its lines are empty
constexpr std::string_view partial = ".partial";

std::error_code ignored;

uint64_t bytes_in(const std::string& folder) {
  uint64_t sum = 0;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    struct stat status {};
    if (::lstat(file.path().c_str(), &status) == 0) sum += static_cast<uint64_t>(status.st_blocks) * 512;
  }
  return sum;
}

}  // namespace

Result<void> CatchFolder::make() const {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) return fail(ErrorKind::no_access, fmt::format("cannot make the folder {}: {}", path_, error.message()));
  CULPRIT_TRY(refuse_others());
  // Pages show memory of other users' processes.
  CULPRIT_TRY(checked("protect " + path_, [&] { return ::chmod(path_.c_str(), 0700); }));
  return {};
}

// Made private, a folder that others use, like /tmp, would be lost for them.
Result<void> CatchFolder::refuse_others() const {
  struct stat status {};
  CULPRIT_TRY(checked("look at " + path_, [&] { return ::stat(path_.c_str(), &status); }));
  const bool is_private = status.st_uid == ::geteuid() && (status.st_mode & 077) == 0;
  const bool has_settings = status.st_uid == ::geteuid() && ::access((path_ + "/settings.json").c_str(), F_OK) == 0;
  if (is_private || has_settings || fs::is_empty(path_, ignored)) return {};
  return fail(ErrorKind::usage, fmt::format("{} has files of others: crashes need a folder of their own", path_));
}

Result<void> CatchFolder::write_settings(const CatchSettings& settings) const {
  Json json = {{"most_crashes", settings.most_crashes},
               {"most_bytes", settings.most_bytes},
               {"keeps_cores", settings.keeps_cores}};
  auto file = open_file(path_ + "/settings.json", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  return write_all(file->get(), json.dump(1) + "\n");
}

CatchSettings CatchFolder::settings() const {
  CatchSettings settings;
  Json json = Json::parse(read_whole_file(path_ + "/settings.json", 1 << 16).value_or(""), nullptr, false);
  if (!json.is_object()) return settings;
  auto number = [&](const char* name, uint64_t& into) {
    if (auto found = json.find(name); found != json.end() && found->is_number_unsigned()) into = *found;
  };
  number("most_crashes", settings.most_crashes);
  number("most_bytes", settings.most_bytes);
  if (auto found = json.find("keeps_cores"); found != json.end() && found->is_boolean()) settings.keeps_cores = *found;
  return settings;
}

Result<Fd> CatchFolder::take_slot() const {
  for (int slot = 0; slot < slots; ++slot) {
    auto file = open_file(fmt::format("{}/slot.{}", path_, slot), O_RDWR | O_CREAT, 0600);
    if (!file) return file;
    if (::flock(file->get(), LOCK_EX | LOCK_NB) == 0) return file;
  }
  return fail(ErrorKind::limit, fmt::format("{} other crashes are being looked at", slots));
}

Result<std::string> CatchFolder::begin(uint64_t& number) const {
  std::vector<Entry> known = entries();
  number = known.empty() ? 1 : known.back().number + 1;
  for (;; ++number) {
    std::string path = fmt::format("{}/{}{}", path_, number, partial);
    if (::access(fmt::format("{}/{}", path_, number).c_str(), F_OK) == 0) continue;
    if (::mkdir(path.c_str(), 0700) == 0) return path;
    if (errno != EEXIST) return tl::unexpected<Error>(system_error("make " + path, errno));
  }
}

Result<void> CatchFolder::finish(uint64_t number) const {
  std::string path = fmt::format("{}/{}", path_, number);
  CULPRIT_TRY(checked("finish " + path, [&] { return ::rename((path + std::string(partial)).c_str(), path.c_str()); }));
  return {};
}

void CatchFolder::abandon(uint64_t number) const {
  fs::remove_all(fmt::format("{}/{}{}", path_, number, partial), ignored);
}

std::vector<CatchFolder::Entry> CatchFolder::entries() const {
  std::vector<Entry> found;
  for (const auto& each : fs::directory_iterator(path_, ignored)) {
    std::string name = each.path().filename().string();
    Entry entry{.is_partial = name.ends_with(partial), .path = each.path().string()};
    size_t digits = name.size() - (entry.is_partial ? partial.size() : 0);
    auto [end, error] = std::from_chars(name.data(), name.data() + digits, entry.number);
    if (error == std::errc() && end == name.data() + digits && digits != 0) found.push_back(std::move(entry));
  }
  std::ranges::sort(found, {}, &Entry::number);
  return found;
}

void CatchFolder::prune(const CatchSettings& settings, uint64_t newest) const {
  std::vector<Entry> kept = entries();
  std::vector<uint64_t> sizes;
  uint64_t sum = 0;
  for (const Entry& entry : kept) sum += sizes.emplace_back(bytes_in(entry.path));
  uint64_t count = kept.size();
  for (size_t i = 0; i < kept.size() && (count > settings.most_crashes || sum > settings.most_bytes); ++i) {
    if (kept[i].number >= newest) return;
    fs::remove_all(kept[i].path, ignored);
    --count;
    sum -= sizes[i];
  }
}

void CatchFolder::note_missed(std::string_view line) const {
  // A pipe handler has no error stream, and a full disk no room: nobody is left to tell.
  auto file = open_file(path_ + "/missed", O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!file) return;
  struct stat status {};
  // Something that crashes over and over must not fill the disk. An empty line is still counted.
  const bool is_long = ::fstat(file->get(), &status) == 0 && status.st_size >= largest_missed;
  static_cast<void>(write_all(file->get(), is_long ? "\n" : printable(line) + "\n"));
}

std::vector<CaughtCrash> CatchFolder::crashes() const {
  std::vector<CaughtCrash> found;
  for (const Entry& entry : entries()) {
    auto crash = caught_from_json(read_whole_file(entry.path + "/crash.json", 1 << 20).value_or(""));
    if (!crash) crash = CaughtCrash{.program = "?", .signal = "?"};
    crash->number = entry.number;
    crash->is_finished = !entry.is_partial;
    found.push_back(std::move(*crash));
  }
  return found;
}

uint64_t CatchFolder::missed() const {
  std::string lines = read_whole_file(path_ + "/missed", largest_text).value_or("");
  return static_cast<uint64_t>(std::ranges::count(lines, '\n'));
}

Result<std::string> CatchFolder::read(uint64_t number, std::string_view file) const {
  return read_whole_file(fmt::format("{}/{}/{}", path_, number, file), largest_text);
}

}  // namespace culprit
