#include "capture/table_builder.h"

#include <pthread.h>
#include <signal.h>

namespace culprit {

TableBuilder::TableBuilder() {
  // Signals are for the thread that knows about them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TableBuilder::~TableBuilder() {
  {
    std::lock_guard lock(mutex_);
    ends_ = true;
  }
  work_came_.notify_one();
  thread_.join();
}

void TableBuilder::want(const ModuleFile& file) {
  {
    std::lock_guard lock(mutex_);
    wanted_.push_back(&file);
  }
  work_came_.notify_one();
}

std::vector<TableBuilder::Built> TableBuilder::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(built_, {});
}

bool TableBuilder::is_idle() const {
  std::lock_guard lock(mutex_);
  return wanted_.empty() && built_.empty() && !is_building_;
}

void TableBuilder::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_came_.wait(lock, [&] { return ends_ || !wanted_.empty(); });
    if (ends_) return;
    const ModuleFile* file = wanted_.front();
    wanted_.pop_front();
    is_building_ = true;
    lock.unlock();
    auto table = build_unwind_table(*file);
    lock.lock();
    built_.push_back({file, std::move(table)});
    is_building_ = false;
  }
}

}  // namespace culprit
