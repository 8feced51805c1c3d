#include "target/handle_holders.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <tuple>

#include "base/syscall.h"
#include "target/handle_links.h"
#include "target/process_facts.h"
#include "target/ptrace_threads.h"

namespace culprit {

namespace {

constexpr size_t holders_kept = 64;

class Searcher {
 public:
  Searcher(const HeldObjects& objects, uint64_t most_links) : objects_(objects), most_links_(most_links) {}

  void look_through(const KnownTable& known) {
    auto folder = open_file(fmt::format("/proc/{}/fd", living_thread(known.pid)), O_RDONLY | O_DIRECTORY);
    if (!folder) return;
    for (const auto& [value, link] : known.links) {
      char name[24];
      *std::to_chars(name, name + sizeof(name) - 1, value).ptr = '\0';
      look_at(known.pid, folder->get(), name, value, std::string(link));
    }
  }

  void look_through(uint32_t pid) {
    auto folder = open_file(fmt::format("/proc/{}/fd", living_thread(pid)), O_RDONLY | O_DIRECTORY);
    if (!folder) {
      if (folder.error().kind == ErrorKind::no_access) ++not_readable_;
      return;
    }
    const std::vector<int> numbers = numbers_in(folder->get());
    const uint64_t before = links_.fetch_add(numbers.size());
    if (most_links_ != 0 && before + numbers.size() > most_links_) {
      ++left_out_;
      return;
    }
    for (int number : numbers) {
      char name[16], text[4200];
      *std::to_chars(name, name + sizeof(name) - 1, number).ptr = '\0';
      const ssize_t length = readlinkat(folder->get(), name, text, sizeof text);
      if (length > 0) look_at(pid, folder->get(), name, number, std::string(text, static_cast<size_t>(length)));
    }
  }

  HolderSearch result() && {
    for (auto& [link, found] : search_.by_link) {
      auto key = [](const HandleHolder& holder) { return std::tuple(holder.pid, holder.value); };
      std::ranges::sort(found.holders, {}, key);
      if (found.holders.size() > holders_kept) found.holders.resize(holders_kept);
    }
    search_.processes_not_readable = not_readable_;
    search_.processes_left_out = left_out_;
    // With hidepid there is no trace of the others; the first process is somebody else's then.
    if (access("/proc/1", F_OK) != 0) ++search_.processes_not_readable;
    return std::move(search_);
  }

 private:
  void look_at(uint32_t pid, int folder, const char* name, int64_t value, const std::string& link) {
    auto object = objects_.find(link);
    if (object == objects_.end() || !is_object(folder, name, object->second)) return;
    // The link itself is readable where the handle is open for reading, writable where for writing.
    struct stat info {};
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    HandleHolder holder{pid, process_name(pid), value, (info.st_mode & S_IRUSR) != 0, (info.st_mode & S_IWUSR) != 0};
    std::lock_guard lock(mutex_);
    HolderSearch::Found& found = search_.by_link[link];
    ++found.in_all;
    if (found.holders.size() < 8 * holders_kept) found.holders.push_back(std::move(holder));
  }

  static bool is_object(int folder, const char* name, const HeldObject& object) {
    if (object.inode == 0) return true;
    struct stat info {};
    return fstatat(folder, name, &info, 0) == 0 && info.st_ino == object.inode && info.st_dev == object.device;
  }

  const HeldObjects& objects_;
  const uint64_t most_links_;
  std::atomic<uint64_t> links_ = 0, not_readable_ = 0, left_out_ = 0;
  std::mutex mutex_;
  HolderSearch search_;  // by_link: guarded by mutex_
};

std::vector<int> all_processes() {
  auto folder = open_file("/proc", O_RDONLY | O_DIRECTORY);
  return folder ? numbers_in(folder->get()) : std::vector<int>{};
}

}  // namespace

const HolderSearch::Found* HolderSearch::find(const std::string& link) const {
  auto found = by_link.find(link);
  return found == by_link.end() ? nullptr : &found->second;
}

HolderSearch find_holders(const HeldObjects& objects, const KnownTable& known, uint64_t most_links) {
  Searcher searcher(objects, most_links);
  if (objects.empty()) return {};
  searcher.look_through(known);
  std::vector<int> pids = all_processes();
  std::erase(pids, static_cast<int>(known.pid));
  constexpr size_t processes_per_thread = 30;
  in_parts(
      pids.size(),
      [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) searcher.look_through(static_cast<uint32_t>(pids[i]));
      },
      processes_per_thread);
  return std::move(searcher).result();
}

HolderSearch find_holders(const HeldObjects& objects, uint32_t first, uint64_t most_links) {
  if (objects.empty()) return {};
  KnownTable known{first, {}};
  auto links = read_handle_links(first, AskFiles::once_per_name);
  if (links)
    for (const HandleLink& link : *links) known.links.emplace_back(link.number, link.text);
  return find_holders(objects, known, most_links);
}

}  // namespace culprit
