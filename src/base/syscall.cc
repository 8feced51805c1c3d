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
  std::string content;
  while (content.size() < limit) {
    size_t old_size = content.size();
    size_t chunk = std::min<size_t>(limit - old_size, std::max<size_t>(old_size, 4096));
    content.resize(old_size + chunk);
    auto got = checked("cannot read " + path, [&] { return ::read(file->get(), content.data() + old_size, chunk); });
    if (!got) return tl::unexpected<Error>(std::move(got).error());
    content.resize(old_size + static_cast<size_t>(*got));
    if (*got == 0) break;
  }
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
