// Pages about crashes: of one target, and of the processes that die while a program runs.
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_report.h"
#include "analysis/handle_report.h"
#include "symbols/symbolizer.h"
#include "target/dying_process.h"
#include "view/crash_views.h"

namespace culprit {

// `symbolizer` keeps what it knows of modules, for the next one; `options` are those it was made with.
Result<CrashReport> page_about(Target& target, Symbolizer& symbolizer, int progress_fd,
                               const SymbolOptions& options = {});

// Pages of processes that had no handle left say who made most of them.
void name_handle_makers(Crashes& crashes, const HandleReport& report);

// What comes before the answer about a program that was run; empty: nothing, or `crashes` is null.
std::string crash_pages_text(const Crashes* crashes, const CrashTextOptions& options);

// The pages of a run. look() is called from another thread than the rest, which may be used once nobody calls it.
class CrashPages {
 public:
  LookAtDeath look();

  const Crashes& crashes() const { return crashes_; }

 private:
  void add(const Death& death);

  Crashes crashes_;
};

}  // namespace culprit
