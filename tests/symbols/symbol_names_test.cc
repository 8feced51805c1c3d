// Names of functions and variables, by address and by pattern.
#include "symbols/symbol_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "symbols/compiled_program.h"

namespace culprit {
namespace {

using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view source = R"(
#include <pthread.h>
pthread_mutex_t g_mutex2 = PTHREAD_MUTEX_INITIALIZER;
extern "C" { int first_alias(int x) { return x + 1; } int __alias(int) __attribute__((alias("first_alias"))); }
namespace bank {
template <typename T> struct Account { __attribute__((noinline)) T pay(T amount) { return amount * 3; } };
static int ledger[100];
int entry(int i) { return ledger[i % 100]++ + Account<int>().pay(i); }
}
thread_local int per_thread = 7;
int main(int count, char**) { return bank::entry(count) + first_alias(per_thread) + (g_mutex2.__data.__kind & 1); }
)";

// The addresses of `nm`, which is no reader of ours.
struct Program {
  explicit Program(const std::string& build) {
    std::ofstream(directory.path() / "named.cc") << source;
    EXPECT_EQ(system(("cd '" + directory.path().string() + "' && " + build).c_str()), 0);
  }
  Module module() const { return {.path = directory.path() / "named", .build_id = {}}; }
  uint64_t address_of(const std::string& linker_name) const {
    std::string command = "nm '" + (directory.path() / "nm_of").string() + "' | awk '$3 == \"" + linker_name + "\"'";
    FILE* pipe = popen(command.c_str(), "r");
    unsigned long address = 0;
    EXPECT_EQ(fscanf(pipe, "%lx", &address), 1) << linker_name;
    while (fgetc(pipe) != EOF) continue;
    pclose(pipe);
    return address;
  }
  TemporaryDirectory directory;
};

constexpr const char* plain_build = "g++ -O1 named.cc -o named && cp named nm_of";
SymbolOptions nowhere_else() { return {.debug_directories = {}, .debuginfod = false}; }

TEST(SymbolNames, NamesAVariableByAnyOfItsBytes) {
  Program program(plain_build);
  SymbolNames names(nowhere_else());
  uint64_t mutex = program.address_of("g_mutex2"), ledger = program.address_of("_ZN4bankL6ledgerE");
  for (uint64_t offset : {0, 1, 39}) {
    auto found = names.covering(program.module(), mutex + offset);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, (NamedSymbol{"g_mutex2", mutex, 40, SymbolKind::data, false}));
  }
  EXPECT_EQ(names.covering(program.module(), ledger + 399)->name, "bank::ledger");
  EXPECT_TRUE(names.covering(program.module(), ledger)->is_local);
  EXPECT_FALSE(names.covering(program.module(), 0));
  EXPECT_FALSE(names.covering(program.module(), UINT64_MAX));
}

TEST(SymbolNames, KnowsVariablesOfStrippedProgramsByTheirDebugFile) {
  Program program(
      "g++ -O1 -g named.cc -o named && cp named nm_of && objcopy --only-keep-debug named named.debug && "
      "strip named && objcopy --add-gnu-debuglink=named.debug named");
  SymbolNames names(nowhere_else());
  uint64_t mutex = program.address_of("g_mutex2");
  auto found = names.covering(program.module(), mutex + 8);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "g_mutex2");
}

TEST(SymbolNames, PrefersTheNameThatOthersSeeAmongAliases) {
  Program program(plain_build);
  SymbolNames names(nowhere_else());
  auto found = names.covering(program.module(), program.address_of("first_alias"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "first_alias");
}

TEST(SymbolNames, TellsTheNeighboursOfAnAddress) {
  Program program(plain_build);
  SymbolNames names(nowhere_else());
  uint64_t entry = program.address_of("_ZN4bank5entryEi");
  NearSymbols near = names.near(program.module(), entry + 1);
  ASSERT_TRUE(near.before);
  ASSERT_TRUE(near.after);
  EXPECT_TRUE(near.is_within);
  EXPECT_EQ(near.before->name, "bank::entry(int)");
  EXPECT_GT(near.after->address, entry);
  EXPECT_FALSE(names.near(program.module(), UINT64_MAX).after);
  EXPECT_FALSE(names.near(program.module(), UINT64_MAX).is_within);
  EXPECT_FALSE(names.near(program.module(), 0).before);
}

TEST(SymbolNames, FindsByTheWaysPeopleWriteAName) {
  Program program(plain_build);
  SymbolNames names(nowhere_else());
  auto found = [&](std::string_view pattern) {
    std::vector<std::string> result;
    for (const NamedSymbol& symbol : names.find(program.module(), pattern, 10).symbols) result.push_back(symbol.name);
    return result;
  };
  for (const char* pattern : {"bank::entry", "bank::entry(int)", "_ZN4bank5entryEi", "bank::e?try", "ba*try"})
    EXPECT_THAT(found(pattern), ElementsAre("bank::entry(int)")) << pattern;
  for (const char* pattern : {"bank::Account::pay", "bank::Account<int>::pay", "*Account*pay*"})
    EXPECT_THAT(found(pattern), ElementsAre("bank::Account<int>::pay(int)")) << pattern;
  EXPECT_THAT(found("g_mutex*"), ElementsAre("g_mutex2"));
  EXPECT_THAT(found("entry"), IsEmpty());
  EXPECT_THAT(found("per_thread"), ElementsAre("per_thread"));
  FoundNames some = names.find(program.module(), "*", 3);
  EXPECT_THAT(some.symbols, SizeIs(3));
  EXPECT_TRUE(some.has_more);
}

TEST(SymbolNames, CompletesNames) {
  Program program(plain_build);
  SymbolNames names(nowhere_else());
  EXPECT_THAT(names.beginning_with(program.module(), "bank::A", 10), ElementsAre("bank::Account::pay"));
  EXPECT_THAT(names.beginning_with(program.module(), "g_mu", 10), ElementsAre("g_mutex2"));
}

TEST(SymbolNames, KnowsNothingOfAFileThatIsNotThere) {
  SymbolNames names(nowhere_else());
  Module module{.path = "/nowhere/at/all", .build_id = {}};
  EXPECT_FALSE(names.covering(module, 0x1000));
  EXPECT_FALSE(names.near(module, 0x1000).before);
  EXPECT_THAT(names.find(module, "*", 5).symbols, IsEmpty());
}

}  // namespace
}  // namespace culprit
