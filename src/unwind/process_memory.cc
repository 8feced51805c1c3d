#include "unwind/process_memory.h"

#include <sys/uio.h>

namespace culprit {
namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t highest_address = uint64_t{1} << 56;  // beyond is the kernel's

}  // namespace

// As much as can be read from `address` on: pages behind the end of a stack are not there.
size_t ProcessMemory::fetch(uint64_t address, std::span<std::byte> into) const {
  iovec local{into.data(), into.size()};
  std::array<iovec, most_slice_bytes / page + 1> remote;
  size_t count = 0;
  for (size_t offset = 0; offset < into.size() && count < remote.size();) {
    size_t in_page = page - (address + offset) % page;
    size_t size = std::min<size_t>(in_page, into.size() - offset);
    remote[count++] = {reinterpret_cast<void*>(address + offset), size};
    offset += size;
  }
  ssize_t got = process_vm_readv(static_cast<pid_t>(pid_), &local, 1, remote.data(), count, 0);
  return got < 0 ? 0 : static_cast<size_t>(got);
}

bool ProcessMemory::read(uint64_t address, std::span<std::byte> into) {
  if (address >= highest_address) return false;
  if (into.size() > slice_.size()) {
    for (size_t done = 0; done < into.size();) {
      size_t size = std::min(slice_.size(), into.size() - done);
      if (fetch(address + done, into.subspan(done, size)) != size) return false;
      done += size;
    }
    return true;
  }
  bool is_known = address >= start_ && address - start_ <= size_ && into.size() <= size_ - (address - start_);
  if (!is_known) {
    start_ = address;
    size_ = fetch(address, std::span(slice_).first(std::max(slice_bytes_, into.size())));
    if (size_ < into.size()) return false;
  }
  memcpy(into.data(), slice_.data() + (address - start_), into.size());
  return true;
}

}  // namespace culprit
