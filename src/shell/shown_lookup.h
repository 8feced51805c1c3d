// Looking up symbols for an answer, with a line on the terminal that tells how far it is.
#pragma once

#include "analysis/stack_symbols.h"
#include "shell/progress.h"
#include "symbols/symbolizer.h"

namespace culprit {

class ShownLookup {
 public:
  explicit ShownLookup(int progress_fd, SymbolOptions options = {})
      : symbolizer_(std::move(options)), progress_(progress_fd, "looking up addresses") {}

  // Valid as long as this.
  SymbolLookup lookup() {
    return [this](std::span<const SymbolRequest> requests) {
      return symbolizer_.symbolize(requests, [this](size_t done, size_t total) { progress_.show(done, total); });
    };
  }
  // Nothing of it may stand before the answer.
  void done() { progress_.erase(); }

 private:
  Symbolizer symbolizer_;
  Progress progress_;
};

}  // namespace culprit
