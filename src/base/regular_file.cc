#include "base/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/syscall.h"

namespace culprit {

Result<Mapping> map_regular_file(const std::string& path, uint64_t largest) {
  // Without O_NONBLOCK, opening a FIFO waits for a writer, and opening a terminal or tape may do anything.
  auto file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  struct stat status {};
  CULPRIT_TRY(checked("cannot stat " + path, [&] { return ::fstat(file->get(), &status); }));
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::unsupported, path + " is not a regular file");
  if (static_cast<uint64_t>(status.st_size) > largest) return fail(ErrorKind::limit, path + " is too large to be read");
  return Mapping::of_fd(file->get(), path);
}

}  // namespace culprit
