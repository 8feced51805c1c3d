#include "base/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "base/syscall.h"

namespace culprit {

Mapping::Mapping(Mapping&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(start_, other.start_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (start_ != nullptr) ::munmap(start_, size_);
}

Result<Mapping> Mapping::of_file(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  return of_fd(file->get(), path);
}

Result<Mapping> Mapping::of_fd(int fd, const std::string& name) {
  struct stat status {};
  CULPRIT_TRY(checked("cannot stat " + name, [&] { return ::fstat(fd, &status); }));
  if (S_ISDIR(status.st_mode)) return fail(ErrorKind::usage, name + " is a directory");
  if (status.st_size == 0) return Mapping{};
  auto size = static_cast<size_t>(status.st_size);
  auto start = checked("cannot map " + name, [&] { return ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0); });
  if (!start) return tl::unexpected<Error>(std::move(start).error());
  return Mapping(*start, size);
}

}  // namespace culprit
