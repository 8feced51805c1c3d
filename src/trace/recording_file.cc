#include "trace/recording_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/syscall.h"
#include "trace/block.h"

namespace culprit {

namespace {

// Compressed blocks: enough for tens of millions of events until there is room on the disk again.
constexpr size_t max_waiting_bytes = size_t{32} << 20;

// A write beyond RLIMIT_FSIZE (which the recorder inherits from a shell with `ulimit -f`) kills the writer by SIGXFSZ
// unless it is ignored or blocked. Blocked here, for this thread, and taken back if it came.
class FileSizeSignalBlocked {
 public:
  FileSizeSignalBlocked() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &old_mask_);
  }
  ~FileSizeSignalBlocked() {
    if (sigismember(&old_mask_, SIGXFSZ) == 1) return;
    timespec at_once{};
    while (sigtimedwait(&signal_, nullptr, &at_once) == SIGXFSZ) {
    }
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  FileSizeSignalBlocked(const FileSizeSignalBlocked&) = delete;
  FileSizeSignalBlocked& operator=(const FileSizeSignalBlocked&) = delete;

 private:
  sigset_t signal_, old_mask_;
};

bool same_file(int fd, const std::string& path) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

// A finished recording is renamed to its name. Over a device, a pipe or a link that would destroy something of the
// system's or somebody's.
Result<void> check_replaceable(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0 || S_ISREG(there.st_mode)) return {};
  return fail(ErrorKind::usage, "cannot record to " + path + ": it exists and is no ordinary file");
}

}  // namespace

Result<RecordingFile> RecordingFile::create(const std::string& path) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorKind::usage, "cannot record to " + path + ": it is a directory");
  }
  CULPRIT_TRY(check_replaceable(path));
  std::string partial = path + ".partial";
  for (int attempt = 0; attempt < 10; ++attempt) {
    auto file = open_file(partial, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
    if (!file) return tl::unexpected<Error>(std::move(file).error());
    if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return fail(ErrorKind::limit, "another culprit is recording to " + partial);
      return tl::unexpected<Error>(system_error("cannot lock " + partial, errno));
    }
    // Between open and lock the former owner may have finished and renamed it: then it is not ours to overwrite.
    if (!same_file(file->get(), partial)) continue;
    CULPRIT_TRY(checked("cannot empty " + partial, [&] { return ::ftruncate(file->get(), 0); }));
    return RecordingFile(std::move(*file), path, partial);
  }
  return fail(ErrorKind::limit, "other recorders keep replacing " + partial);
}

Result<RecordingFile> RecordingFile::create_temporary() {
  const char* directory = std::getenv("TMPDIR");
  for (const std::string place : {directory != nullptr ? directory : "/tmp", "/var/tmp"}) {
    if (auto file = open_file(place, O_RDWR | O_TMPFILE, 0600)) {
      return RecordingFile(std::move(*file), "", "the temporary recording in " + place);
    }
  }
  auto number = checked("cannot make a temporary recording", [] { return ::memfd_create("culprit", MFD_CLOEXEC); });
  if (!number) return tl::unexpected<Error>(std::move(number).error());
  return RecordingFile(Fd(*number), "", "the temporary recording in memory");
}

Result<void> RecordingFile::write_at(uint64_t offset, std::string_view bytes) {
  FileSizeSignalBlocked blocked;
  uint64_t end = offset;
  while (!bytes.empty()) {
    auto written = checked("cannot write " + name_,
                           [&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(end)); });
    if (!written || *written == 0) {
      // Half a block helps nobody, and gives back room on a full disk. If even this fails, the next write covers it.
      if (end > size_) (void)::ftruncate(fd_.get(), static_cast<off_t>(std::max(size_, offset)));
      Error error = written ? system_error("cannot write " + name_, ENOSPC) : std::move(written).error();
      last_failure_ = error.what;
      return tl::unexpected<Error>(std::move(error));
    }
    end += static_cast<uint64_t>(*written);
    bytes.remove_prefix(static_cast<size_t>(*written));
  }
  size_ = std::max(size_, end);
  return {};
}

Result<void> RecordingFile::write_header(std::string_view header) { return write_at(0, header); }

Result<void> RecordingFile::write_block(std::string_view block) {
  return ring_ ? write_into_ring(block) : write_at(size_, block);
}

Result<void> RecordingFile::write_into_ring(std::string_view block) {
  RingSpace::Place place = ring_->place_for(block.size());
  const bool grows = !place.starts_lap && place.offset + block.size() > size_;
  if (!place.starts_lap) {
    auto written = write_at(place.offset, block);
    // On a full disk the file cannot grow any more; what it has already is kept in use.
    const bool enough = ring_->next() - ring_->begin() >= 4 * block.size();
    if (!written && !(grows && enough)) return written;
    if (written) return ring_->written(place, block.size()), Result<void>{};
    place = {ring_->begin(), true};
  }
  // Behind the last block lies the oldest of the lap before, which would outlive newer ones.
  CULPRIT_TRY(
      checked("cannot shorten " + name_, [&] { return ::ftruncate(fd_.get(), static_cast<off_t>(ring_->next())); }));
  size_ = ring_->next();
  CULPRIT_TRY(write_at(place.offset, block));
  ring_->written(place, block.size());
  return {};
}

void RecordingFile::append(std::string block) {
  if (ring_ && !ring_->fits(block.size())) {
    last_failure_ = "a block was too large for a circular recording of this size";
    ++dropped_;
    return;
  }
  if (waiting_bytes_ + block.size() > max_waiting_bytes && !write_waiting()) {
    ++dropped_;
    return;
  }
  waiting_bytes_ += block.size();
  waiting_.push_back(std::move(block));
  write_waiting();
}

bool RecordingFile::write_waiting() {
  while (!waiting_.empty()) {
    std::string& block = waiting_.front();
    set_sequence(block, sequence_);  // only what reaches the file is counted: a gap means that something was cut out
    if (!write_block(block)) return false;
    ++sequence_;
    waiting_bytes_ -= block.size();
    waiting_.pop_front();
  }
  return true;
}

void RecordingFile::drop_waiting() {
  dropped_ += waiting_.size();
  waiting_.clear();
  waiting_bytes_ = 0;
}

void RecordingFile::remove() {
  if (!path_.empty() && same_file(fd_.get(), name_)) ::unlink(name_.c_str());
}

Result<void> RecordingFile::complete() {
  if (path_.empty()) return {};
  CULPRIT_TRY(check_replaceable(path_));
  CULPRIT_TRY(checked("cannot sync " + name_, [&] { return ::fsync(fd_.get()); }));
  CULPRIT_TRY(
      checked("cannot rename " + name_ + " to " + path_, [&] { return ::rename(name_.c_str(), path_.c_str()); }));
  name_ = path_;
  // The new name survives a crash of the machine only when the directory is synced, too. Not all file systems can.
  auto parent = std::filesystem::path(path_).parent_path();
  if (auto directory = open_file(parent.empty() ? "." : parent.string(), O_RDONLY | O_DIRECTORY))
    ::fsync(directory->get());
  return {};
}

}  // namespace culprit
