// Where the code of a program image lies, as the kernel side told it when it was mapped: for processes that are over
// before anybody could read their /proc.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capture/module_files.h"

namespace culprit {

// A path as the kernel side tells it: components, innermost first, each with a NUL.
std::string path_of_components(std::string_view components);

class ToldCode {
 public:
  // A new image begins: its auxiliary vector (pairs of kind and value).
  void begin(std::span<const uint64_t> auxiliary_vector);
  // As /proc/PID/maps has it now.
  void begin(const std::vector<MapsEntry>& maps);
  // CULPRIT_BPF_MAPPED: its words, inode, and components of the path.
  void add(std::span<const uint64_t> words, uint64_t inode, std::string_view components);
  void remove(uint64_t start, uint64_t end);

  // As /proc/PID/maps would list the code; without what cannot be told.
  std::vector<MapsEntry> entries(uint32_t pid, ModuleFiles& files) const;

 private:
  void add_segments(std::vector<MapsEntry>& entries, const MapsEntry& file, const ModuleFile& module,
                    uint64_t bias) const;

  uint64_t program_entry_ = 0, loader_base_ = 0, vdso_ = 0;
  MapsEntry program_;
  std::map<uint64_t, MapsEntry> mapped_;  // by start; later ones replace what they overlap
};

}  // namespace culprit
