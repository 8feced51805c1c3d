// The tables of the modules this test runs in, and the unwinder on them, against glibc's backtrace().
#include <execinfo.h>
#include <gmock/gmock.h>
#include <link.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/mapping.h"
#include "unwind/process_memory.h"
#include "unwind/unwind_table.h"
#include "unwind/unwinder.h"

namespace culprit {
namespace {

struct Module {
  uint64_t start, end, bias;
  UnwindTable table;
};

int add_module(dl_phdr_info* info, size_t, void* modules) {
  std::string path = info->dlpi_name[0] == 0 ? "/proc/self/exe" : info->dlpi_name;
  auto file = Mapping::of_file(path);
  if (!file) return 0;  // the vdso
  auto table = build_unwind_table(file->bytes());
  for (int i = 0; table && i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    uint64_t start = info->dlpi_addr + header.p_vaddr;
    static_cast<std::vector<Module>*>(modules)->push_back({start, start + header.p_memsz, info->dlpi_addr, *table});
  }
  return 0;
}

const std::vector<Module>& modules() {
  static const std::vector<Module> all = [] {
    std::vector<Module> found;
    dl_iterate_phdr(add_module, &found);
    return found;
  }();
  return all;
}

std::optional<UnwindCode> code_at(uint64_t pc) {
  auto module = std::ranges::find_if(modules(), [&](const Module& each) { return pc >= each.start && pc < each.end; });
  if (module == modules().end()) return {};
  return UnwindCode{module->bias, module->table.rows, module->table.far};
}

struct Stacks {
  std::vector<uint64_t> ours, theirs;  // without the frame that asked
  bool is_whole = false;
};
Stacks stacks;

__attribute__((noinline)) void take_stacks() {
  UnwindRegisters registers;
  asm volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
               : "=r"(registers.ip), "=r"(registers.sp), "=r"(registers.bp));
  stacks = {};
  void* addresses[200];
  int count = backtrace(addresses, 200);
  // Sanitizers put a backtrace() of their own in between: what comes before our caller's address is dropped.
  auto caller = reinterpret_cast<void*>(__builtin_return_address(0));
  int first = static_cast<int>(std::find(addresses, addresses + count, caller) - addresses);
  for (int i = first; i < count; ++i) stacks.theirs.push_back(reinterpret_cast<uint64_t>(addresses[i]));
  ProcessMemory memory(static_cast<uint32_t>(getpid()));
  WalkedStack walked = walk_stack(registers, memory, code_at);
  stacks.is_whole = !walked.is_truncated;
  for (const WalkedFrame& frame : walked.frames) stacks.ours.push_back(frame.address);
  stacks.ours.erase(stacks.ours.begin());
}

class RealStacks : public ::testing::Test {
 protected:
  void SetUp() override { modules(); }
  void TearDown() override {
    EXPECT_GT(stacks.ours.size(), 5u);
    EXPECT_EQ(stacks.ours, stacks.theirs);
    EXPECT_TRUE(stacks.is_whole);
    stacks = {};
  }
};

TEST_F(RealStacks, AgreeInAPlainFunction) { take_stacks(); }

__attribute__((noinline)) int recurse(int depth) {
  if (depth == 0) return take_stacks(), 1;
  return recurse(depth - 1) + depth;
}
TEST_F(RealStacks, AgreeInRecursion) { EXPECT_GT(recurse(40), 0); }

__attribute__((noinline)) void with_variable_array(size_t size) {
  auto* array = static_cast<volatile char*>(__builtin_alloca(size));
  array[0] = 1;
  take_stacks();
  array[size - 1] = 2;
}
TEST_F(RealStacks, AgreeBelowAlloca) { with_variable_array(1000); }

__attribute__((noinline)) void with_realigned_stack(size_t size) {
  alignas(64) volatile char aligned[256];
  auto* array = static_cast<volatile char*>(__builtin_alloca(size));
  aligned[3] = 1;
  array[0] = aligned[3];
  take_stacks();
  array[1] = aligned[3];
}
TEST_F(RealStacks, AgreeInAFunctionThatRealignsItsStack) { with_realigned_stack(100); }

__attribute__((noinline)) void with_large_frame() {
  volatile char large[200000];
  large[0] = 1;
  take_stacks();
  large[sizeof large - 1] = 2;
}
TEST_F(RealStacks, AgreeInAVeryLargeFrame) { with_large_frame(); }

TEST_F(RealStacks, AgreeInACallbackOfLibc) {
  int numbers[] = {3, 1, 2};
  qsort(numbers, 3, sizeof numbers[0], [](const void* left, const void* right) {
    if (stacks.ours.empty()) take_stacks();
    return *static_cast<const int*>(left) - *static_cast<const int*>(right);
  });
}

TEST_F(RealStacks, AgreeInASignalHandler) {
  struct sigaction action {
  }, previous{};
  action.sa_handler = [](int) { take_stacks(); };
  sigaction(SIGUSR2, &action, &previous);
  raise(SIGUSR2);
  sigaction(SIGUSR2, &previous, nullptr);
}

TEST_F(RealStacks, AgreeInACatchBlock) {
  try {
    throw 1;
  } catch (int) {
    take_stacks();
  }
}

}  // namespace
}  // namespace culprit
