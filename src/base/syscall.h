// The one place where -1 and errno become an Error.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace culprit {

// "open /etc/shadow: Permission denied", with the kind that `error_number` stands for.
Error system_error(std::string_view doing, int error_number);

// Calls `call` (again after EINTR) and turns -1 into an Error that begins with `doing`.
template <typename Call>
auto checked(std::string_view doing, Call call) -> Result<decltype(call())> {
  for (;;) {
    auto result = call();
    if (result != (decltype(result))-1) return result;  // a C cast, as mmap's failure is a pointer
    if (errno != EINTR) return tl::unexpected<Error>(system_error(doing, errno));
  }
}

// Opens with O_CLOEXEC.
Result<Fd> open_file(const std::string& path, int flags, unsigned mode = 0666);

// Whole small files (procfs): at most `limit` bytes are read.
Result<std::string> read_whole_file(const std::string& path, size_t limit = size_t{64} << 20);

// Writes all of it, over short writes and EINTR.
Result<void> write_all(int fd, std::string_view bytes);

}  // namespace culprit
