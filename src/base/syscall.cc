#include "base/syscall.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace culprit {

namespace {

ErrorKind kind_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
      return ErrorKind::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::no_access;
    case ESRCH:
    case ECHILD:
      return ErrorKind::gone;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorKind::unsupported;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
      return ErrorKind::limit;
    default:
      return ErrorKind::system;
  }
}

}  // namespace

Error system_error(std::string_view doing, int error_number) {
  return Error{kind_of(error_number), fmt::format("{}: {}", doing, std::strerror(error_number)), {}};
}

Result<Fd> open_file(const std::string& path, int flags, unsigned mode) {
  auto number = checked("cannot open " + path, [&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (!number) return tl::unexpected<Error>(std::move(number).error());
  return Fd(*number);
}

Result<std::string> read_whole_file(const std::string& path, size_t limit) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  // Room is made when there is none left: files of /proc come in pages, whatever is asked for.
  std::string content;
  size_t used = 0;
  while (used < limit) {
    if (used == content.size()) content.resize(std::min(limit, std::max<size_t>(used * 2, 4096)));
    auto got = checked("cannot read " + path,
                       [&] { return ::read(file->get(), content.data() + used, content.size() - used); });
    if (!got) return tl::unexpected<Error>(std::move(got).error());
    if (*got == 0) break;
    used += static_cast<size_t>(*got);
  }
  content.resize(used);
  return content;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto written = checked("cannot write", [&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (!written) return tl::unexpected<Error>(std::move(written).error());
    bytes.remove_prefix(static_cast<size_t>(*written));
  }
  return {};
}

}  // namespace culprit
