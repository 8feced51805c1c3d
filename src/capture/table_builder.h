// Builds unwind tables beside the recorder: a large program's takes a good part of a second, in which events must be
// taken.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "capture/module_files.h"

namespace culprit {

class TableBuilder {
 public:
  TableBuilder();
  ~TableBuilder();  // waits for the table at hand

  // Each file once; it must outlive this.
  void want(const ModuleFile& file);

  struct Built {
    const ModuleFile* file = nullptr;
    std::optional<UnwindTable> table;  // empty: the file has none; nothing: the file cannot be read
  };
  std::vector<Built> take();
  bool is_idle() const;

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable work_came_;
  std::deque<const ModuleFile*> wanted_;
  std::vector<Built> built_;
  bool is_building_ = false, ends_ = false;
  std::thread thread_;
};

}  // namespace culprit
