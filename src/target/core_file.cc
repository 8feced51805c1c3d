#include "target/core_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/regular_file.h"
#include "base/syscall.h"
#include "base/text.h"
#include "target/decompress.h"

namespace culprit {

namespace {

constexpr size_t page = 4096;
constexpr uint64_t largest_core = uint64_t{64} << 40;  // mostly holes, when it is that large

bool begins_with_zeros(Bytes bytes) {
  static constexpr std::byte zeros[page]{};
  return std::memcmp(bytes.data(), zeros, std::min(bytes.size(), page)) == 0;
}

// How many bytes, in pages, `bytes` begins with that are zero, or are not.
size_t run_of_pages(Bytes bytes, bool zero) {
  size_t size = 0;
  while (size < bytes.size() && begins_with_zeros(bytes.subspan(size)) == zero) size += page;
  return std::min(size, bytes.size());
}

// A file without name that is written from start to end.
class ScratchFile {
 public:
  static Result<ScratchFile> make(const DecompressionLimits& limits) {
    const char* chosen = ::getenv("TMPDIR");
    ScratchFile file(chosen != nullptr && *chosen == '/' ? chosen : "/var/tmp", limits);
    if (auto opened = open_file(file.folder_, O_TMPFILE | O_RDWR, 0600)) {
      file.fd_ = std::move(*opened);
      return file;
    }
    // Not every file system can do that.
    std::string name = file.folder_ + "/culprit-core-XXXXXX";
    auto made = checked("cannot make a file in " + file.folder_, [&] { return ::mkostemp(name.data(), O_CLOEXEC); });
    if (!made) return tl::unexpected<Error>(std::move(made).error());
    ::unlink(name.c_str());
    file.fd_ = Fd(*made);
    return file;
  }

  Result<void> append(Bytes bytes) {
    if (bytes.size() > limits_.most_bytes - size_)
      return fail(ErrorKind::limit,
                  fmt::format("decompressed, it has more than {}", bytes_in_words(limits_.most_bytes)));
    CULPRIT_TRY(check_room(bytes.size()));
    while (!bytes.empty()) {
      // Most of a large core are zeros: they stay holes.
      size_t zeros = run_of_pages(bytes, true);
      size_ += zeros;
      bytes = bytes.subspan(zeros);
      Bytes part = bytes.first(run_of_pages(bytes, false));
      CULPRIT_TRY(write_at_end(part));
      size_ += part.size();
      bytes = bytes.subspan(part.size());
    }
    return {};
  }

  Result<Mapping> finish(const std::string& name) {
    CULPRIT_TRY(checked(doing(), [&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size_)); }));
    return Mapping::of_fd(fd_.get(), name);
  }

 private:
  ScratchFile(std::string folder, const DecompressionLimits& limits) : folder_(std::move(folder)), limits_(limits) {}

  std::string doing() const { return "decompressing into " + folder_; }

  Error no_room() const {
    return {ErrorKind::limit,
            fmt::format("there is no room in {} to decompress it ({} so far): set TMPDIR to a folder with more",
                        folder_, bytes_in_words(size_)),
            {}};
  }

  Result<void> check_room(size_t wanted) const {
    struct statvfs space {};
    if (::fstatvfs(fd_.get(), &space) != 0) return {};
    if (uint64_t{space.f_bavail} * space.f_frsize < limits_.keep_free + wanted) return tl::unexpected<Error>(no_room());
    return {};
  }

  Result<void> write_at_end(Bytes part) const {
    for (size_t done = 0; done < part.size();) {
      auto written = checked(doing(), [&] {
        return ::pwrite(fd_.get(), part.data() + done, part.size() - done, static_cast<off_t>(size_ + done));
      });
      if (!written && (errno == ENOSPC || errno == EDQUOT)) return tl::unexpected<Error>(no_room());
      if (!written) return tl::unexpected<Error>(std::move(written).error());
      done += static_cast<size_t>(*written);
    }
    return {};
  }

  std::string folder_;
  DecompressionLimits limits_;
  Fd fd_;
  uint64_t size_ = 0;
};

}  // namespace

Result<CoreFile> read_core_file(const std::string& path, const DecompressionLimits& limits) {
  auto mapping = map_regular_file(path, largest_core);
  if (!mapping) return tl::unexpected<Error>(std::move(mapping).error());
  const Compression* compression = compression_of(mapping->bytes());
  if (compression == nullptr) return CoreFile{.mapping = std::move(*mapping), .incomplete = {}};
  if (compression->decompress == nullptr)
    return fail(ErrorKind::unsupported,
                fmt::format("{} is compressed by {}, which is not read here: decompress it by {}", path,
                            compression->name, compression->tool));
  auto scratch = ScratchFile::make(limits);
  if (!scratch) return tl::unexpected<Error>(std::move(scratch).error());
  auto incomplete = compression->decompress(mapping->bytes(), [&](Bytes bytes) { return scratch->append(bytes); });
  if (!incomplete) {
    Error error = std::move(incomplete).error();
    error.what = path + ": " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  auto content = scratch->finish(path);
  if (!content) return tl::unexpected<Error>(std::move(content).error());
  return CoreFile{.mapping = std::move(*content), .incomplete = std::move(*incomplete)};
}

}  // namespace culprit
