#include "capture/hook_choice.h"

#include <fmt/core.h>
#include <string.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "base/mapping.h"
#include "base/syscall.h"
#include "format/procfs.h"

namespace culprit {
namespace {

// `mov $number,%eax; syscall`
std::array<uint8_t, 7> call_pattern(uint32_t number) {
  return {0xb8, static_cast<uint8_t>(number), static_cast<uint8_t>(number >> 8), 0, 0, 0x0f, 0x05};
}

}  // namespace

bool looks_patchable(Bytes libc_image) {
  if (libc_image.empty()) return false;
  constexpr uint32_t essential[] = {SYS_openat, SYS_close, SYS_socket, SYS_dup2, SYS_pipe2, SYS_execve};
  return std::ranges::all_of(essential, [&](uint32_t number) {
    auto pattern = call_pattern(number);
    return memmem(libc_image.data(), libc_image.size(), pattern.data(), pattern.size()) != nullptr;
  });
}

bool own_libc_looks_patchable() {
  auto maps = read_whole_file("/proc/self/maps");
  for (const MapsEntry& entry : parse_maps(maps ? *maps : "")) {
    if (!entry.is_executable || !entry.path.ends_with("/libc.so.6")) continue;
    auto image = Mapping::of_file(entry.path);
    return image && looks_patchable(image->bytes());
  }
  return true;  // not to be found: the agent itself will tell
}

std::string wrappers_blind_spots(const std::string& why) {
  return fmt::format(
      "{}: libc's functions are wrapped instead, so what it opens inside them (fopen, opendir, getaddrinfo, syslog), "
      "what vfork children "
      "do, and programs executed with an environment of their own are not seen",
      why);
}

}  // namespace culprit
