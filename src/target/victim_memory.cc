#include "target/victim_memory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/syscall.h"

namespace culprit {

Result<VictimMemory> VictimMemory::open(uint32_t pid) {
  auto fd = open_file(fmt::format("/proc/{}/mem", pid), O_RDWR);
  if (!fd) return tl::unexpected<Error>(fd.error());
  return VictimMemory(std::move(*fd));
}

bool VictimMemory::read(uint64_t address, std::span<std::byte> into) {
  return pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(address)) == static_cast<ssize_t>(into.size());
}

bool VictimMemory::write(uint64_t address, Bytes bytes) {
  return pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(address)) ==
         static_cast<ssize_t>(bytes.size());
}

}  // namespace culprit
