#include "shell/catch_handler.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <ctime>

#include "base/mapping.h"
#include "base/syscall.h"
#include "model/signals.h"
#include "shell/crash_pages.h"
#include "shell/kept_core.h"
#include "shell/last_look.h"
#include "target/core_stream.h"
#include "target/elf_core.h"
#include "target/process_facts.h"

namespace culprit {
namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned time_limit = 120;  // seconds, then the kernel ends us
constexpr int no_progress = -1;

void be_careful() {
  // A core of ours would start another one of us. 0 does not forbid it where the core goes into a pipe, 1 does
  // (do_coredump in fs/coredump.c); a handler that the kernel starts has that already.
  rlimit none{1, 1};
  ::setrlimit(RLIMIT_CORE, &none);
  ::alarm(time_limit);
  if (auto file = open_file("/proc/self/oom_score_adj", O_WRONLY)) static_cast<void>(write_all(file->get(), "1000"));
}

// The process is gone: nobody waits for us any more.
void be_nice() {
  constexpr int this_process = 1, idle_class = 3 << 13;  // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE (linux/ioprio.h)
  ::setpriority(PRIO_PROCESS, 0, 19);
  ::syscall(SYS_ioprio_set, this_process, 0, idle_class);
}

Result<CrashReport> page_of(const StreamedCore& core, const LastLook& look, const std::string& name, uint32_t pid) {
  auto mapping = Mapping::of_fd(core.file.get(), name);
  if (!mapping) return tl::unexpected<Error>(std::move(mapping).error());
  CoreSource source{.name = name, .places = look.places(), .incomplete = core.incomplete};
  auto target = open_core_bytes(mapping->bytes(), std::move(source));
  if (!target) return tl::unexpected<Error>(std::move(target).error());
  SymbolOptions options = look.symbol_options();
  Symbolizer symbolizer(options);
  auto page = page_about(**target, symbolizer, no_progress, options);
  if (!page) return page;
  page->use = look.use;
  // The core has the process's own number (task_pid_vnr in fill_psinfo, fs/binfmt_elf.c), the kernel's %P the
  // machine's.
  if (pid != page->pid) page->host_pid = pid;
  return page;
}

void tell(CaughtCrash& crash, const Result<CrashReport>& page) {
  if (!page) {
    crash.problem = page.error().what;
    return;
  }
  crash.sentence = crash_sentence(*page);
  crash.bucket = page->bucket;
  crash.signal = page->fault.signal == 0 ? "" : signal_name(page->fault.signal);
  if (crash.pid == 0) crash.pid = page->pid;
  if (std::string program = page->executable.substr(page->executable.rfind('/') + 1); !program.empty())
    crash.program = program;
}

// Everything about one crash, in a folder of its own that gets its name when it is complete.
class Catch {
 public:
  Catch(const CatchFolder& folder, const CatchRequest& request)
      : folder_(folder), request_(request), settings_(folder.settings()), look_(look_at_last(request.pid)) {
    crash_.pid = request.pid;
    crash_.program = look_.name;
    crash_.time = ::time(nullptr);
  }

  Result<CaughtCrash> keep() {
    auto place = folder_.begin(crash_.number);
    if (!place) return tl::unexpected<Error>(std::move(place).error());
    auto written = write(*place);
    if (!written) {
      folder_.abandon(crash_.number);
      return tl::unexpected<Error>(std::move(written).error());
    }
    CULPRIT_TRY(folder_.finish(crash_.number));
    folder_.prune(settings_, crash_.number);
    return crash_;
  }

  std::string line(std::string_view why) const {
    return fmt::format("{} {} ({}): {}", crash_.time, crash_.program, crash_.pid, why);
  }

 private:
  Result<void> write(const std::string& place) {
    // What is known if we do not come to an end.
    CULPRIT_TRY(write_new_file(place + "/crash.json", caught_as_json(crash_)));
    auto core = read_core_stream(request_.core, {});
    ::close(request_.core);  // the process may go
    be_nice();
    std::string name = fmt::format("{}/{}/core", folder_.path(), crash_.number);
    auto page =
        core ? page_of(*core, look_, name, request_.pid) : Result<CrashReport>(tl::unexpected<Error>(core.error()));
    tell(crash_, page);
    KeptCore kept;
    if (core && settings_.keeps_cores) kept = keep_core(place, *core, look_.files);
    crash_.core_bytes = kept.bytes;
    if (page) {
      page->written = crash_.time;
      if (kept.bytes == 0) forget_core(page->next, name);
      page->next.insert(page->next.end(), kept.shortcomings.begin(), kept.shortcomings.end());
      CULPRIT_TRY(write_new_file(place + "/page.txt", crash_as_text(*page, {.style = {}})));
      CULPRIT_TRY(write_new_file(place + "/page.json", crash_as_json(*page)));
    }
    crash_.seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    return write_new_file(place + "/crash.json", caught_as_json(crash_));
  }

  // Nothing to open is left.
  void forget_core(std::vector<std::string>& next, const std::string& core) const {
    std::erase_if(next, [&](const std::string& each) { return each.find(core) != each.npos; });
    if (!settings_.keeps_cores) next.emplace_back("culprit catch install --cores keeps a core for the console");
  }

  const CatchFolder& folder_;
  CatchRequest request_;
  CatchSettings settings_;
  LastLook look_;
  CaughtCrash crash_;
  Clock::time_point begun_ = Clock::now();
};

}  // namespace

Result<CaughtCrash> handle_crash(const CatchFolder& folder, const CatchRequest& request) {
  be_careful();
  if (auto slot = folder.take_slot(); !slot) {
    folder.note_missed(fmt::format("{} {} ({}): {}", ::time(nullptr), request.pid == 0 ? "" : process_name(request.pid),
                                   request.pid, slot.error().what));
    return tl::unexpected<Error>(std::move(slot).error());
  } else {
    Catch caught(folder, request);
    auto kept = caught.keep();
    if (!kept) folder.note_missed(caught.line(kept.error().what));
    return kept;
  }
}

}  // namespace culprit
