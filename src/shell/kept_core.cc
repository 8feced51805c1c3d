#include "shell/kept_core.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/mapping.h"
#include "base/syscall.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr uint64_t most_gone_bytes = uint64_t{128} << 20;

// Returns its size; limit: it has more than `most`.
Result<uint64_t> copy_of(const Fd& from, const std::string& path, uint64_t most) {
  auto mapping = Mapping::of_fd(from.get(), path);
  if (!mapping) return tl::unexpected<Error>(std::move(mapping).error());
  if (mapping->size() > most) return fail(ErrorKind::limit, fmt::format("it has {}", bytes_in_words(mapping->size())));
  auto bytes = std::string_view(reinterpret_cast<const char*>(mapping->data()), mapping->size());
  CULPRIT_TRY(write_new_file(path, bytes));
  return mapping->size();
}

}  // namespace

Result<void> write_new_file(const std::string& path, std::string_view bytes) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  auto written = write_all(file->get(), bytes);
  // A full disk may say so only now.
  auto synced = checked("write " + path, [&] { return ::fsync(file->get()); });
  if (written && !synced) written = tl::unexpected<Error>(std::move(synced).error());
  if (!written) ::unlink(path.c_str());
  return written;
}

KeptCore keep_core(const std::string& folder, const StreamedCore& core, const std::vector<HeldFile>& gone) {
  KeptCore kept;
  auto size = copy_of(core.file, folder + "/core", UINT64_MAX);
  if (!size) return {.bytes = 0, .shortcomings = {"its core is not kept: " + size.error().what}};
  kept.bytes = *size;
  uint64_t room = most_gone_bytes;
  for (const HeldFile& file : gone) {
    std::string path = folder + "/" + file.path.substr(file.path.rfind('/') + 1);
    auto copied = ::access(path.c_str(), F_OK) == 0 ? fail(ErrorKind::usage, "another file there has its name")
                                                    : copy_of(file.file, path, room);
    if (copied)
      room -= *copied;
    else
      kept.shortcomings.push_back(
          fmt::format("{} was deleted and is not kept beside the core: {}", file.path, copied.error().what));
  }
  return kept;
}

}  // namespace culprit
