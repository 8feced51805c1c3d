// Collects the definitions that one block's events use, and numbers them for this block: strings, modules, processes,
// stacks. Local number 0 is "none" everywhere; stacks begin at 2 as in StackTable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/trace.h"
#include "trace/byte_writer.h"
#include "trace/past.h"

namespace culprit {

// What closes a block's definitions.
struct BlockEnd {
  const std::vector<Loss>& losses;  // since the block before; with `past`: all so far
  std::optional<Past> past;         // in circular recordings
  std::string_view info;            // encoded, in an end block
};

class DefinitionsWriter {
 public:
  explicit DefinitionsWriter(const TraceTables& tables) : tables_(tables) {}

  uint32_t local(StringId id);
  uint32_t local(ModuleId id);
  uint32_t local(ProcessId id);
  uint32_t local(StackId id);
  uint32_t local_text(std::string_view text);  // not in the tables

  // Strings left out because the block had too many bytes of them.
  uint64_t names_cut() const { return names_cut_; }
  size_t size() const { return strings_.size() + modules_.size() + stack_callers_.size() + stack_frames_.size(); }

  // Whether a block written so far defines that process as it is now.
  bool is_defined(ProcessId id) const;

  // All sections. Ready for the next block afterwards.
  std::string take(const BlockEnd& end);

 private:
  // The local numbers of one kind of id. Numbers of former blocks are told by their generation, not wiped.
  class Numbering {
   public:
    uint32_t find(size_t id, uint32_t generation) const {
      return id < slots_.size() && slots_[id].generation == generation ? slots_[id].local : 0;
    }
    void set(size_t id, uint32_t generation, uint32_t local);

   private:
    struct Slot {
      uint32_t generation = 0, local = 0;
    };
    std::vector<Slot> slots_;
  };

  void put_processes(ByteWriter& out);
  void put_losses(ByteWriter& out, const BlockEnd& end);

  const TraceTables& tables_;
  uint32_t generation_ = 1;
  Numbering string_numbers_, module_numbers_, process_numbers_, stack_numbers_;
  ByteWriter strings_, modules_, stack_callers_, stack_frames_;
  std::vector<ProcessId> processes_;
  std::vector<uint64_t> defined_as_;     // index: ProcessId; a hash of the last definition, 0: none
  std::vector<StackId> pending_stacks_;  // scratch
  uint32_t string_count_ = 0, module_count_ = 0, stack_count_ = 0;
  uint64_t last_offset_ = 0;
  uint64_t names_cut_ = 0;
};

}  // namespace culprit
