// Programs of many kinds that lose nothing. clean_programs KIND FILE [LIBRARY]: stands still, with all that it has made
// in use; then FILE is there, with the pid that is meant. Built with LeakSanitizer (clean_programs_lsan), it asks that
// instead, and exits with 1 if it finds a leak.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <regex.h>
#include <search.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <any>
#include <condition_variable>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <forward_list>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

extern "C" [[gnu::weak]] int __lsan_do_recoverable_leak_check();

namespace {

const char* said = nullptr;
const char* library = nullptr;

// As nothing comes after, the compiler would not even write what only somebody else will read.
template <typename... Objects>
void is_read(Objects&... objects) {
  (..., [](auto& object) { asm volatile("" : : "r"(&object) : "memory"); }(objects));
}

[[noreturn]] void stand_still() {
  if (__lsan_do_recoverable_leak_check != nullptr) _exit(__lsan_do_recoverable_leak_check() == 0 ? 0 : 1);
  char partial[4096], pid[32];
  snprintf(partial, sizeof partial, "%s.partial", said);
  const int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(file, pid, static_cast<size_t>(snprintf(pid, sizeof pid, "%d\n", getpid())));
  close(file);
  rename(partial, said);
  for (;;) pause();
}

std::string text(int number) { return "number " + std::to_string(number) + std::string(100, '.'); }

void containers() {
  std::deque<std::string> deque;
  std::set<std::string> set;
  std::forward_list<std::string> forward;
  std::unordered_map<std::string, std::vector<std::string>> hashed;
  for (int i = 0; i < 100; ++i) {
    deque.push_back(text(i));
    set.insert(text(i));
    forward.push_front(text(i));
    hashed[text(i)].assign(3, text(i));
  }
  for (int i = 0; i < 40; ++i) deque.pop_front();
  std::any any = text(1);
  std::optional<std::string> optional = text(2);
  std::variant<int, std::string> variant = text(3);
  std::function<std::string()> function = [kept = text(4)] { return kept; };
  is_read(deque, set, forward, hashed, any, optional, variant, function);
  stand_still();
}

struct Member : std::enable_shared_from_this<Member> {
  std::vector<std::shared_ptr<Member>> children;
  std::weak_ptr<Member> parent;
  std::unique_ptr<std::string> name = std::make_unique<std::string>(text(7));
};
void shared_graph() {
  static auto root = std::make_shared<Member>();
  std::vector<std::shared_ptr<Member>> level{root};
  for (int depth = 0; depth < 6; ++depth) {
    std::vector<std::shared_ptr<Member>> next;
    for (const auto& parent : level)
      for (int i = 0; i < 3; ++i) {
        next.push_back(parent->children.emplace_back(std::make_shared<Member>()));
        next.back()->parent = parent->weak_from_this();
      }
    level = std::move(next);
  }
  // What only a weak pointer keeps: the object is gone, its block is there.
  static std::weak_ptr<Member> expired = std::make_shared<Member>();
  is_read(root, expired);
  stand_still();
}

thread_local std::vector<std::string> of_thread;
void threads() {
  static pthread_barrier_t ready;
  pthread_barrier_init(&ready, nullptr, 5);
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([i] {
      for (int j = 0; j < 20; ++j) of_thread.push_back(text(j));
      std::map<int, std::string> locals{{i, text(i)}};
      is_read(locals);
      pthread_barrier_wait(&ready);
      for (;;) pause();
    });
  std::promise<std::string> promise;
  std::future<std::string> future = promise.get_future();
  std::packaged_task<std::string()> task([kept = text(1)] { return kept; });
  is_read(workers, promise, future, task);
  pthread_barrier_wait(&ready);
  stand_still();
}

// A red-black tree of the C library, which keeps the colour in the lowest bit of a pointer.
void tagged_tree() {
  static void* root = nullptr;
  auto compare = [](const void* a, const void* b) {
    return strcmp(static_cast<const char*>(a), static_cast<const char*>(b));
  };
  for (int i = 0; i < 200; ++i) tsearch(strdup(text(i * 7919 % 1000).c_str()), &root, compare);
  stand_still();
}

void loaded_library() {
  void* loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  auto fill = reinterpret_cast<int (*)()>(loaded == nullptr ? nullptr : dlsym(loaded, "fill_library"));
  if (fill == nullptr || fill() != 40) _exit(2);
  static pthread_barrier_t ready;
  pthread_barrier_init(&ready, nullptr, 2);
  std::thread([fill] {
    fill();
    pthread_barrier_wait(&ready);
    for (;;) pause();
  }).detach();
  pthread_barrier_wait(&ready);
  stand_still();
}

struct Task {
  struct promise_type {
    Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { abort(); }
  };
  std::coroutine_handle<promise_type> handle;
};
Task suspended(int depth) {
  std::vector<std::string> kept(10, text(depth));
  std::optional<Task> below;
  if (depth != 0) below = suspended(depth - 1);
  co_await std::suspend_always{};
}
void coroutines() {
  static Task task = suspended(20);
  is_read(task);
  stand_still();
}

// Two contexts that wait, one on a stack of malloc's; what they keep is on their stacks and in saved registers.
ucontext_t main_context, contexts[2];
void wait_in_context(int which) {
  std::vector<std::string> kept(20, text(which));
  is_read(kept);
  swapcontext(&contexts[which], &main_context);
  _exit(2);
}
void switched_contexts() {
  constexpr size_t size = 1 << 18;
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 2; ++i) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = i == 0 ? malloc(size) : mapped;
    contexts[i].uc_stack.ss_size = size;
    makecontext(&contexts[i], reinterpret_cast<void (*)()>(wait_in_context), 1, i);
    swapcontext(&main_context, &contexts[i]);
  }
  stand_still();
}

// One exception that is kept, one that is handled, and one that is on its way through here. (Did the compiler know that
// nobody comes back from here, nobody would catch it.)
void (*volatile halt)() = stand_still;
struct Halt {
  ~Halt() { halt(); }
};
void thrown() {
  std::exception_ptr kept = std::make_exception_ptr(std::runtime_error(text(1)));
  is_read(kept);
  try {
    throw std::runtime_error(text(2));
  } catch (const std::exception&) {
    try {
      Halt here;
      throw std::runtime_error(text(3));
    } catch (const std::exception&) {
    }
  }
}

void forked_child() {
  std::map<std::string, std::string> map;
  for (int i = 0; i < 50; ++i) map[text(i)] = text(i + 1);
  is_read(map);
  const pid_t child = fork();
  if (child == 0) stand_still();
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

// What the C library keeps for who asks it.
void of_the_c_library() {
  static char of_environment[] = "CLEAN_PROGRAMS_PUT=yes";
  static char* written = nullptr;
  static size_t written_size = 0;
  setenv("CLEAN_PROGRAMS_SET", text(1).c_str(), 1);
  putenv(of_environment);
  FILE* file = fopen("/dev/null", "w");
  fputs("x", file);
  FILE* memory = open_memstream(&written, &written_size);
  fputs(text(2).c_str(), memory);
  fflush(memory);
  DIR* folder = opendir("/");
  readdir(folder);
  regex_t expression;
  regcomp(&expression, "^(a|b)*c[0-9]+$", REG_EXTENDED);
  addrinfo* addresses = nullptr;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  getaddrinfo("127.0.0.1", "80", &hints, &addresses);
  locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
  iconv_t conversion = iconv_open("UTF-16", "UTF-8");
  hcreate(100);
  hsearch({strdup("key"), strdup("value")}, ENTER);
  is_read(file, memory, folder, expression, addresses, locale, conversion);
  stand_still();
}

// More than fit into the thread's control block.
void thread_keys() {
  for (int i = 0; i < 200; ++i) {
    pthread_key_t key;
    if (pthread_key_create(&key, free) != 0) _exit(2);
    pthread_setspecific(key, strdup(text(i).c_str()));
  }
  stand_still();
}

const std::map<std::string, void (*)()> kinds = {{"containers", containers},
                                                 {"shared-graph", shared_graph},
                                                 {"threads", threads},
                                                 {"tagged-tree", tagged_tree},
                                                 {"loaded-library", loaded_library},
                                                 {"coroutines", coroutines},
                                                 {"contexts", switched_contexts},
                                                 {"thrown", thrown},
                                                 {"forked-child", forked_child},
                                                 {"c-library", of_the_c_library},
                                                 {"thread-keys", thread_keys}};

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || !kinds.contains(arguments[1])) return 2;
  said = arguments[2];
  library = count > 3 ? arguments[3] : "";
  kinds.at(arguments[1])();
  return 2;
}
