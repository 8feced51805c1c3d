#include "target/victim_memory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/syscall.h"
#include "target/ptrace_threads.h"

namespace culprit {

Result<VictimMemory> VictimMemory::open(uint32_t pid) {
  auto fd = open_file(fmt::format("/proc/{}/mem", living_thread(pid)), O_RDWR);
  if (!fd) return tl::unexpected<Error>(fd.error());
  return VictimMemory(std::move(*fd));
}

size_t VictimMemory::read_some(uint64_t address, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    ssize_t got = pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(address + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

bool VictimMemory::read(uint64_t address, std::span<std::byte> into) { return read_some(address, into) == into.size(); }

bool VictimMemory::write(uint64_t address, Bytes bytes) {
  return pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(address)) ==
         static_cast<ssize_t>(bytes.size());
}

}  // namespace culprit
