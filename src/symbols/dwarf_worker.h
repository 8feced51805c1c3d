// Reads the DWARF of one file in a process of its own. LLVM's reader is fast and complete, but bytes flipped in
// .debug_info make it write through wild pointers; so it works behind a socket, and what comes back is checked. When
// the process dies or falls silent, there are simply no more answers. It also gives back all memory when it ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "symbols/dwarf_lines.h"

namespace culprit {

class DwarfWorker {
 public:
  // `file` must outlive the object.
  DwarfWorker(Bytes file, const std::string& path, const SplitDwarfPlaces& places);
  DwarfWorker(DwarfWorker&&) noexcept;
  DwarfWorker& operator=(DwarfWorker&&) = delete;
  ~DwarfWorker();

  // send() then receive(), so that several workers can be busy at once. At most most_addresses.
  static constexpr size_t most_addresses = 512;
  void send(std::span<const uint64_t> addresses);
  // One answer per address sent, in that order; empty ones after a failure.
  std::vector<DwarfAnswer> receive();

  // Nothing: no variable is proved to be there, or after a failure.
  std::optional<NamedObject> object(const ObjectQuestion& question);

  // Why there are no answers (any more), as a clause; empty: all is well.
  const std::string& problem() const { return problem_; }
  const std::string& missing_split_file() const { return missing_split_file_; }

 private:
  std::string take_string(ByteReader& reader);
  bool read_answers(Bytes message, std::vector<DwarfAnswer>& answers);
  Bytes receive_message();
  void give_up(std::string why);

  Fd socket_;
  pid_t process_ = -1;
  size_t asked_ = 0;
  std::string problem_;
  std::string missing_split_file_;
  std::vector<std::byte> message_;
  std::vector<std::string> strings_;  // sent once each, then named by their index
};

}  // namespace culprit
