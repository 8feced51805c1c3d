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

// Nothing: it is no settings.json. What is missing there is as usual.
std::optional<CatchSettings> settings_in(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return {};
  CatchSettings settings;
  auto number = [&](const char* name, uint64_t& into) {
    auto found = json.find(name);
    if (found != json.end() && found->is_number_unsigned()) into = *found;
    return found == json.end() || found->is_number_unsigned();
  };
  if (!number("most_crashes", settings.most_crashes) || !number("most_bytes", settings.most_bytes)) return {};
  auto cores = json.find("keeps_cores");
  if (cores == json.end()) return settings;
  if (!cores->is_boolean()) return {};
  settings.keeps_cores = *cores;
  return settings;
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
  const std::string path = path_ + "/settings.json";
  auto text = read_whole_file(path, 1 << 16);
  if (!text && text.error().kind == ErrorKind::not_found) return {};
  if (auto settings = text ? settings_in(*text) : std::nullopt) return *settings;
  CatchSettings usual;
  usual.problem = fmt::format(
      "{} cannot be read ({}): at most {}, {} in all and no cores are kept; "
      "`culprit catch install` writes it anew",
      printable(path), text ? "it is damaged" : printable(text.error().what),
      counted(usual.most_crashes, "crash", "crashes"), bytes_in_words(usual.most_bytes));
  return usual;
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
  auto known = entries();
  if (!known) return tl::unexpected<Error>(std::move(known).error());
  number = known->empty() ? 1 : known->back().number + 1;
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

Result<std::vector<CatchFolder::Entry>> CatchFolder::entries() const {
  std::vector<Entry> found;
  std::error_code failure;
  fs::directory_iterator each(path_, failure);
  if (failure == std::errc::no_such_file_or_directory) return found;
  for (; !failure && each != fs::directory_iterator(); each.increment(failure)) {
    std::string name = each->path().filename().string();
    Entry entry{.is_partial = name.ends_with(partial), .path = each->path().string()};
    size_t digits = name.size() - (entry.is_partial ? partial.size() : 0);
    auto [end, error] = std::from_chars(name.data(), name.data() + digits, entry.number);
    if (error == std::errc() && end == name.data() + digits && digits != 0) found.push_back(std::move(entry));
  }
  if (failure)
    return fail(ErrorKind::no_access,
                fmt::format("cannot read {}, where caught crashes are kept: {}", path_, failure.message()));
  std::ranges::sort(found, {}, &Entry::number);
  return found;
}

void CatchFolder::prune(const CatchSettings& settings, uint64_t newest) const {
  const std::vector<Entry> kept = entries().value_or(std::vector<Entry>());
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

Result<std::vector<CaughtCrash>> CatchFolder::crashes() const {
  auto known = entries();
  if (!known) return tl::unexpected<Error>(std::move(known).error());
  std::vector<CaughtCrash> found;
  for (const Entry& entry : *known) {
    auto crash = caught_from_json(read_whole_file(entry.path + "/crash.json", 1 << 20).value_or(""));
    if (!crash) crash = CaughtCrash{.is_damaged = true};
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
