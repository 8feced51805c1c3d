#include "target/core_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/syscall.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t at_once = 1 << 20;

class Stream {
 public:
  explicit Stream(int input) : input_(input), buffer_(at_once) {
    // Fewer changes between the kernel that writes and us.
    ::fcntl(input_, F_SETPIPE_SZ, static_cast<int>(at_once));
    nowhere_ = open_file("/dev/null", O_WRONLY).value_or(Fd());
  }

  uint64_t position() const { return position_; }

  // Up to so many bytes, fewer only at the end.
  Result<Bytes> read(size_t size) {
    size = std::min(size, buffer_.size());
    auto got = checked("read the core", [&] { return ::read(input_, buffer_.data(), size); });
    if (!got) return tl::unexpected<Error>(std::move(got).error());
    position_ += static_cast<uint64_t>(*got);
    return Bytes(buffer_.data(), static_cast<size_t>(*got));
  }

  // Passes over what comes before `end`. False: it has ended before.
  Result<bool> skip_to(uint64_t end) {
    while (position_ < end) {
      size_t wanted = std::min<uint64_t>(end - position_, uint64_t{1} << 30);
      ssize_t gone = nowhere_ ? ::splice(input_, nullptr, nowhere_.get(), nullptr, wanted, SPLICE_F_MOVE) : -1;
      if (gone > 0) position_ += static_cast<uint64_t>(gone);
      if (gone > 0) continue;
      if (gone < 0) nowhere_.reset();  // no pipe: read it
      auto passed = read(wanted);
      if (!passed) return tl::unexpected<Error>(std::move(passed).error());
      if (passed->empty()) return false;
    }
    return true;
  }

 private:
  int input_;
  std::vector<std::byte> buffer_;
  Fd nowhere_;
  uint64_t position_ = 0;
};

Result<std::vector<std::byte>> read_head(Stream& stream) {
  std::vector<std::byte> head;
  for (;;) {
    auto wanted = head_size_of_core(head);
    if (!wanted) return tl::unexpected<Error>(std::move(wanted).error());
    if (head.size() >= *wanted) return head;
    auto part = stream.read(*wanted - head.size());
    if (!part) return tl::unexpected<Error>(std::move(part).error());
    if (part->empty())
      return fail(ErrorKind::corrupt,
                  fmt::format("the core ends after {}, before its memory begins", bytes_in_words(head.size())));
    head.insert(head.end(), part->begin(), part->end());
  }
}

Result<void> write_at(int file, Bytes bytes, uint64_t at) {
  while (!bytes.empty()) {
    auto written = checked("keep a part of the core",
                           [&] { return ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at)); });
    if (!written) return tl::unexpected<Error>(std::move(written).error());
    at += static_cast<uint64_t>(*written);
    bytes = bytes.subspan(static_cast<size_t>(*written));
  }
  return {};
}

// False: it has ended before.
Result<bool> keep_piece(Stream& stream, const SmallCorePlan::Piece& piece, StreamedCore& core) {
  auto is_there = stream.skip_to(piece.from);
  if (!is_there || !*is_there) return is_there;
  for (uint64_t done = 0; done < piece.size;) {
    auto part = stream.read(piece.size - done);
    if (!part) return tl::unexpected<Error>(std::move(part).error());
    if (part->empty()) return false;
    CULPRIT_TRY(write_at(core.file.get(), *part, piece.to + done));
    done += part->size();
    core.size = piece.to + done;
  }
  return true;
}

}  // namespace

Result<StreamedCore> read_core_stream(int input, const SmallCoreWish& wish) {
  Stream stream(input);
  auto head = read_head(stream);
  if (!head) return tl::unexpected<Error>(std::move(head).error());
  auto plan = plan_small_core(*head, wish);
  if (!plan) return tl::unexpected<Error>(std::move(plan).error());
  auto made = checked("make a file in memory", [] { return ::memfd_create("core", MFD_CLOEXEC); });
  if (!made) return tl::unexpected<Error>(std::move(made).error());
  StreamedCore core;
  core.file = Fd(*made);
  CULPRIT_TRY(write_at(core.file.get(), plan->head, 0));
  core.size = plan->head.size();
  bool is_whole = true;
  for (size_t i = 0; is_whole && i < plan->pieces.size(); ++i) {
    auto kept = keep_piece(stream, plan->pieces[i], core);
    if (!kept) return tl::unexpected<Error>(std::move(kept).error());
    is_whole = *kept;
  }
  if (is_whole) {
    auto rest = stream.skip_to(plan->original_size);
    if (!rest) return tl::unexpected<Error>(std::move(rest).error());
    is_whole = *rest;
  }
  core.original = stream.position();
  if (plan->left_out != 0) core.incomplete = "culprit keeps only the part of a large core that is worth most";
  if (!is_whole)
    core.incomplete = fmt::format("it came to an end after {} of {}", bytes_in_words(core.original),
                                  bytes_in_words(plan->original_size));
  return core;
}

}  // namespace culprit
