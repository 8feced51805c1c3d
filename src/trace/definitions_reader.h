// Reads the definitions of blocks into the tables of one trace. Equal things of different blocks become one; a process
// is known by the number it had in the recording, and its newest definition counts.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/trace.h"
#include "trace/past.h"

namespace culprit {

// What the local numbers of one block mean. Every id in here is in the tables.
struct BlockNumbers {
  std::vector<StringId> strings{StringId::none};
  std::vector<ModuleId> modules{ModuleId::none};
  std::vector<ProcessId> processes{ProcessId::none};
  std::vector<StackId> stacks{StackId::none, StackId::truncated};
};

class DefinitionsReader {
 public:
  explicit DefinitionsReader(TraceTables& tables) : tables_(tables) {}

  // `corrupt`, with the offset in these bytes, where they contradict the format; `limit` where they would need too much
  // memory. What was read until then stays in the tables, unused.
  Result<BlockNumbers> read(Bytes definitions);
  // The process with that number in the recording; none where it was not defined.
  ProcessId process_recorded_as(uint64_t number) const;

  // The sum over all blocks, or of a circular recording what the block read last says; once the end block is read, what
  // that one says.
  const std::vector<Loss>& losses() const { return final_info_ ? final_losses_ : losses_; }
  // Of the block read last; nullopt: it says nothing of blocks before it.
  const std::optional<Past>& past() const { return past_; }
  const std::optional<TraceInfo>& final_info() const { return final_info_; }  // of the end block

 private:
  void read_strings(ByteReader& reader, BlockNumbers& numbers);
  void read_modules(ByteReader& reader, BlockNumbers& numbers);
  void read_processes(ByteReader& reader, BlockNumbers& numbers);
  void read_stacks(ByteReader& reader, BlockNumbers& numbers);
  void read_losses(ByteReader& reader, BlockNumbers& numbers);
  void read_losses_so_far(ByteReader& reader, BlockNumbers& numbers);
  void read_info(ByteReader& reader, BlockNumbers& numbers);
  void read_past(ByteReader& reader, BlockNumbers& numbers);
  void set_parent(ProcessId child, ProcessId parent);
  bool over_limit() const;

  struct ModuleHash {
    size_t operator()(const Module& module) const;
  };

  TraceTables& tables_;
  std::unordered_map<Module, ModuleId, ModuleHash> module_index_;
  std::unordered_map<uint64_t, ProcessId> process_index_;  // by the recorder's number
  std::vector<Loss> losses_;
  std::vector<Loss> block_losses_;  // of the block being read
  std::vector<Loss> final_losses_;
  std::optional<TraceInfo> final_info_;
  std::optional<Past> past_;
  size_t string_bytes_ = 0;
  size_t numbers_kept_ = 0;  // entries of all BlockNumbers handed out
};

}  // namespace culprit
