#include "trace/recording_bytes.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/syscall.h"

namespace culprit {

Result<RecordingBytes> RecordingBytes::of_file(Fd fd, const std::string& name) {
  struct stat status {};
  CULPRIT_TRY(checked("cannot stat " + name, [&] { return ::fstat(fd.get(), &status); }));
  if (S_ISDIR(status.st_mode)) return fail(ErrorKind::usage, name + " is a directory, not a recording");
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::usage, name + " is no regular file, so not a recording");
  return RecordingBytes(std::move(fd), static_cast<uint64_t>(status.st_size));
}

std::optional<Bytes> RecordingBytes::read(uint64_t offset, uint64_t count, std::string& buffer) const {
  if (offset > size_ || count > size_ - offset) return std::nullopt;
  if (!fd_) return memory_.subspan(offset, count);
  buffer.resize(count);
  for (uint64_t filled = 0; filled < count;) {
    auto got = checked("read", [&] {
      return ::pread(fd_.get(), buffer.data() + filled, count - filled, static_cast<off_t>(offset + filled));
    });
    if (!got || *got == 0) return std::nullopt;
    filled += static_cast<uint64_t>(*got);
  }
  return as_bytes(buffer);
}

uint64_t RecordingBytes::find(std::string_view text, uint64_t offset) const {
  constexpr uint64_t step = uint64_t{1} << 20;
  std::string buffer;
  while (offset < size_) {
    auto chunk = read(offset, std::min(step + text.size(), size_ - offset), buffer);
    if (!chunk) break;
    size_t found = as_text(*chunk).find(text);
    if (found != std::string_view::npos) return offset + found;
    offset += step;
  }
  return size_;
}

bool RecordingBytes::locked() const {
  if (!fd_) return false;
  if (::flock(fd_.get(), LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  ::flock(fd_.get(), LOCK_UN);
  return false;
}

}  // namespace culprit
