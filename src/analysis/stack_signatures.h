// Tells which stacks of two recordings are the same. Processes, addresses and even builds may differ: a frame is the
// same when its module has the same build id and the address is the same there, or else when module and function have
// the same names.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/stack_symbols.h"
#include "model/trace.h"

namespace culprit {

class StackSignatures {
 public:
  // Of the stacks of `here`. All must outlive this.
  StackSignatures(StackSymbols& symbols, const TraceTables& here, const TraceTables& there);

  // Looks names up for those of them with a frame that is told by name: names cost time.
  void prepare(std::span<const StackId> stacks);
  // Equal for stacks that are the same.
  std::string of(StackId stack) const;

 private:
  std::vector<Frame> frames(StackId stack) const;
  bool all_same(StackId stack) const;
  std::string named(const Frame& frame) const;
  bool is_same_build(ModuleId module) const { return index_of(module) < same_.size() && same_[index_of(module)]; }

  StackSymbols& symbols_;
  const TraceTables& tables_;
  std::vector<bool> same_;  // of each module: the other recording has the same build
};

// Files of both recordings whose builds differ, by name.
std::vector<std::string> names_of_different_builds(const TraceTables& before, const TraceTables& after);

}  // namespace culprit
