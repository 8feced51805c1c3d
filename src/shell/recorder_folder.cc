#include "shell/recorder_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/syscall.h"

namespace culprit {

namespace {

constexpr size_t largest_card = size_t{1} << 20;
constexpr int most_of_one_name = 1000;
// Whoever looks whether a lock is held has it himself for a moment.
constexpr int lock_attempts = 20;
constexpr auto between_attempts = std::chrono::milliseconds(5);

Result<void> check_private(const std::string& path) {
  struct stat status {};
  CULPRIT_TRY(checked("look at " + path, [&] { return ::lstat(path.c_str(), &status); }));
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
    return fail(ErrorKind::no_access,
                fmt::format("{} is not a folder of this user alone: recorders cannot be spoken to "
                            "through it",
                            path));
  return {};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return fail(ErrorKind::limit, fmt::format("the path of the control socket is too long: {}", path));
  std::ranges::copy(path, address.sun_path);
  return address;
}

Result<Fd> unix_socket() {
  auto number = checked("make a socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); });
  if (!number) return tl::unexpected<Error>(number.error());
  return Fd(*number);
}

}  // namespace

Result<RecorderFolder> RecorderFolder::open() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string path = runtime != nullptr && runtime[0] == '/' ? std::string(runtime) + "/culprit"
                     : ::geteuid() == 0                      ? "/run/culprit"
                                                             : fmt::format("/tmp/culprit-{}", ::geteuid());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return tl::unexpected<Error>(system_error("make " + path + ", the folder of the recorders", errno));
  CULPRIT_TRY(check_private(path));
  return RecorderFolder(path);
}

std::string RecorderFolder::file(const std::string& name, std::string_view ending) const {
  return fmt::format("{}/{}.{}", path_, name, ending);
}

// The lock's file is taken away by whoever ends a recorder: the one that was opened must still be there.
std::optional<Fd> RecorderFolder::try_lock(const std::string& name) const {
  const std::string path = file(name, "lock");
  auto opened = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!opened) return {};
  if (::flock(opened->get(), LOCK_EX | LOCK_NB) != 0) return {};
  struct stat locked {
  }, named{};
  bool is_same = ::fstat(opened->get(), &locked) == 0 && ::stat(path.c_str(), &named) == 0 &&
                 locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
  return is_same ? std::optional(std::move(*opened)) : std::nullopt;
}

Result<Fd> RecorderFolder::lock_free_name(std::string& name) const {
  const std::string wanted = name;
  for (int number = 1; number < most_of_one_name; ++number) {
    if (number > 1) name = fmt::format("{}-{}", wanted, number);
    for (int attempt = 0; attempt < lock_attempts; ++attempt) {
      if (auto lock = try_lock(name)) return std::move(*lock);
      std::this_thread::sleep_for(between_attempts);
    }
  }
  return fail(ErrorKind::limit, fmt::format("too many recorders are called {}", wanted));
}

bool RecorderFolder::is_at_work(const std::string& name) const {
  for (int attempt = 0; attempt < lock_attempts; ++attempt) {
    if (::access(file(name, "lock").c_str(), F_OK) != 0 || try_lock(name)) return false;
    std::this_thread::sleep_for(between_attempts);
  }
  return true;
}

Result<Fd> RecorderFolder::listen(const std::string& name) const {
  const std::string path = file(name, "sock");
  auto address = address_of(path);
  if (!address) return tl::unexpected<Error>(address.error());
  auto socket = unix_socket();
  if (!socket) return socket;
  ::unlink(path.c_str());
  CULPRIT_TRY(checked("bind " + path, [&] {
    return ::bind(socket->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
  }));
  CULPRIT_TRY(checked("listen at " + path, [&] { return ::listen(socket->get(), 16); }));
  return socket;
}

Result<std::string> RecorderFolder::ask(const std::string& name, std::string_view request) const {
  auto address = address_of(file(name, "sock"));
  if (!address) return tl::unexpected<Error>(address.error());
  auto socket = unix_socket();
  if (!socket) return tl::unexpected<Error>(socket.error());
  if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
    return fail(ErrorKind::gone, fmt::format("the recorder {} does not answer", name));
  CULPRIT_TRY(write_all(socket->get(), fmt::format("{}\n", request)));
  std::string answer;
  char buffer[4096];
  for (;;) {
    auto got = checked("read the answer of " + name, [&] { return ::read(socket->get(), buffer, sizeof(buffer)); });
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) break;
    answer.append(buffer, static_cast<size_t>(*got));
    if (answer.size() > largest_card) break;
  }
  if (answer.empty()) return fail(ErrorKind::gone, fmt::format("the recorder {} ended without an answer", name));
  return answer;
}

Result<void> RecorderFolder::write_card(const RecorderReport& report) const {
  const std::string path = file(report.name, "json"), temporary = file(report.name, "new");
  {
    auto opened = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (!opened) return tl::unexpected<Error>(opened.error());
    CULPRIT_TRY(write_all(opened->get(), recorder_as_json(report)));
  }
  CULPRIT_TRY(checked("write " + path, [&] { return ::rename(temporary.c_str(), path.c_str()); }));
  return {};
}

std::vector<RecorderReport> RecorderFolder::cards() const {
  std::vector<RecorderReport> reports;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path_.c_str()), ::closedir);
  while (dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    std::string_view name = entry->d_name;
    if (!name.ends_with(".json")) continue;
    auto text = read_whole_file(fmt::format("{}/{}", path_, name), largest_card);
    auto report = text ? recorder_from_json(*text) : std::nullopt;
    if (!report || report->name + ".json" != name) continue;
    if (report->state == RecorderState::recording && !is_at_work(report->name)) report->state = RecorderState::died;
    reports.push_back(std::move(*report));
  }
  std::ranges::sort(reports, {}, &RecorderReport::name);
  return reports;
}

void RecorderFolder::forget(const std::string& name) const {
  for (std::string_view ending : {"json", "sock", "lock"}) ::unlink(file(name, ending).c_str());
}

}  // namespace culprit
