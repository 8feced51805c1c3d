// Tells the kernel side where the code of each process lies.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "capture/bpf_program.h"
#include "capture/bpf_tables.h"
#include "capture/code_map.h"

namespace culprit {

// The published code of one memory (mm_struct), as the recorder remembers it.
struct PublishedCode {
  uint64_t key = 0;  // 0: none yet
  uint64_t image = 0;
  uint32_t stamp = 0;  // 0: nothing published
};

class BpfCode {
 public:
  BpfCode(BpfProgram& program, BpfTables& tables)
      : program_(program), tables_(tables), ranges_(1, static_cast<uint32_t>(program.ranges().size())) {}

  // Publishes the newest code. False: some table of it is still being built, and missing.
  bool publish(PublishedCode& published, const CodeMap& code);
  // A forked process has its parent's, if that is still so. False: it has to be published.
  bool inherit(PublishedCode& child);
  void forget(PublishedCode& published);
  // What was given up before the last call may be used again: nobody can be reading it any more.
  void end_of_round();

  uint64_t left_out() const { return left_out_; }  // processes for which there was no room

 private:
  struct Block {
    uint32_t first = 0, count = 0;  // with its head
    uint32_t users = 0;
    std::vector<BpfTables::Table*> tables;
  };
  void release(uint32_t stamp);

  BpfProgram& program_;
  BpfTables& tables_;
  RangeAllocator ranges_;
  std::unordered_map<uint32_t, Block> blocks_;  // by stamp
  std::vector<std::pair<uint32_t, uint32_t>> given_up_, given_up_before_;
  uint32_t last_stamp_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace culprit
