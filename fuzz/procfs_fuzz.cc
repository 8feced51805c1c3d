// links: format
#include "format/procfs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const MapsEntry& entry : parse_maps(text))
    if (entry.start >= entry.end) __builtin_trap();
  parse_status(text);
  parse_stat(text);
  parse_open_files_limit(text);
  parse_fdinfo(text);
  if (parse_fd_link(text, size > 0 ? data[0] << 12 : 0).type.empty()) __builtin_trap();
  SocketNames names;
  for (std::string_view table : socket_tables) add_socket_names(table, text, names);
  return 0;
}
