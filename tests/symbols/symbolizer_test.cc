// What is left when a program has less than full debug info, and many addresses at once.
#include "symbols/symbolizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "symbols/compiled_program.h"

namespace culprit {
namespace {

using test::CompiledProgram;
using test::line_of;
using testing::HasSubstr;

SymbolOptions nowhere_else() { return {.debug_directories = {}, .debuginfod = false}; }

TEST(Symbolizer, NamesFunctionsFromTheSymbolTable) {
  CompiledProgram program("g++ -O2 program.cc -o program");
  Symbolizer symbolizer(nowhere_else());
  SymbolizedFrame fun4 = symbolizer.symbolize(program.module(), program.address("fun4"));
  EXPECT_EQ(fun4.quality, SymbolQuality::symbol_table);
  ASSERT_EQ(fun4.frames.size(), 1u);
  EXPECT_EQ(fun4.frames[0], (SourceFrame{.function = "void app::fun4<int>(int)"}));
  EXPECT_EQ(fun4.offset_in_symbol, program.address("fun4") - program.address("start"));

  SymbolizedFrame helper = symbolizer.symbolize(program.module(), program.address("inner"));
  ASSERT_EQ(helper.frames.size(), 1u);
  EXPECT_THAT(helper.frames[0].function, testing::StartsWith("(anonymous namespace)::helper(int)"));
  EXPECT_THAT(symbolizer.used_for(program.module()).note, HasSubstr("no debug info"));
}

TEST(Symbolizer, NamesOnlyWhatAStrippedModuleExports) {
  CompiledProgram program("g++ -O2 -rdynamic -fno-ipa-ra program.cc -o program && strip program");
  Symbolizer symbolizer(nowhere_else());
  SymbolizedFrame fun4 = symbolizer.symbolize(program.module(), program.address("fun4"));
  EXPECT_EQ(fun4.quality, SymbolQuality::exported_symbol);
  ASSERT_EQ(fun4.frames.size(), 1u);
  EXPECT_EQ(fun4.frames[0].function, "void app::fun4<int>(int)");
  EXPECT_EQ(fun4.offset_in_symbol, program.address("fun4") - program.address("start"));
  // helper is static: its neighbours are exported, but it is none of them.
  EXPECT_EQ(symbolizer.symbolize(program.module(), program.address("inner")), SymbolizedFrame{});
  EXPECT_THAT(symbolizer.used_for(program.module()).note, HasSubstr("only the functions it exports"));
}

TEST(Symbolizer, NamesNothingInAFullyStrippedProgram) {
  CompiledProgram program("g++ -O2 program.cc -o program && strip program");
  Symbolizer symbolizer(nowhere_else());
  for (const char* where : {"inner", "fun4", "main"}) {
    EXPECT_EQ(symbolizer.symbolize(program.module(), program.address(where)), SymbolizedFrame{}) << where;
  }
  EXPECT_THAT(symbolizer.used_for(program.module()).note, HasSubstr("stripped"));
}

TEST(Symbolizer, LooksBeforeAReturnAddressButAtAnExactOne) {
  CompiledProgram program("g++ -O2 -g program.cc -o program");
  Symbolizer symbolizer(nowhere_else());
  uint64_t start = program.address("start");
  SymbolizedFrame exact = symbolizer.symbolize(program.module(), start, false);
  ASSERT_EQ(exact.frames.size(), 1u);
  EXPECT_EQ(exact.frames[0].function, "void app::fun4<int>(int)");
  EXPECT_EQ(exact.offset_in_symbol, 0u);
  SymbolizedFrame returned = symbolizer.symbolize(program.module(), start, true);
  EXPECT_TRUE(returned.frames.empty() || returned.frames.back().function != "void app::fun4<int>(int)");
}

TEST(Symbolizer, KeepsTheLineWhenSplitDebugInfoIsMissing) {
  CompiledProgram program("g++ -O2 -g -gsplit-dwarf program.cc -o program && rm *.dwo");
  Symbolizer symbolizer(nowhere_else());
  SymbolizedFrame fun4 = symbolizer.symbolize(program.module(), program.address("fun4"));
  ASSERT_EQ(fun4.frames.size(), 1u);
  EXPECT_EQ(
      fun4.frames[0],
      (SourceFrame{.function = "void app::fun4<int>(int)", .file = program.source(), .line = line_of("in fun4")}));
  EXPECT_EQ(fun4.offset_in_symbol, program.address("fun4") - program.address("start"));
  EXPECT_THAT(symbolizer.used_for(program.module()).note,
              testing::ContainsRegex("split debug info .*\\.dwo is missing"));
}

TEST(Symbolizer, TakesNoSplitDebugInfoOfAnotherBuild) {
  CompiledProgram program(
      "g++ -O2 -g -gsplit-dwarf program.cc -o program && mv *.dwo kept && "
      "echo 'int other() { return 1; }' > other.cc && g++ -g -gsplit-dwarf -c other.cc -o other.o && "
      "mv other.dwo \"$(strings program | grep -m1 '\\.dwo$')\"");
  Symbolizer symbolizer(nowhere_else());
  SymbolizedFrame fun4 = symbolizer.symbolize(program.module(), program.address("fun4"));
  ASSERT_EQ(fun4.frames.size(), 1u);
  EXPECT_EQ(fun4.frames[0].line, line_of("in fun4"));
  EXPECT_NE(symbolizer.used_for(program.module()).note, "");
}

TEST(Symbolizer, DoesNotWaitForASplitFileThatIsNone) {
  CompiledProgram program(
      "g++ -O2 -g -gsplit-dwarf program.cc -o program && for f in *.dwo; do rm $f; mkfifo $f; done");
  Symbolizer symbolizer(nowhere_else());
  SymbolizedFrame fun4 = symbolizer.symbolize(program.module(), program.address("fun4"));
  ASSERT_EQ(fun4.frames.size(), 1u);
  EXPECT_EQ(fun4.frames[0].line, line_of("in fun4"));
}

TEST(Symbolizer, AnswersManyInTheOrderOfTheRequests) {
  CompiledProgram first("g++ -O2 -g program.cc -o program"), second("g++ -O2 program.cc -o program");
  Module modules[] = {first.module(), second.module(), {.path = "/nonexistent"}};
  std::vector<SymbolRequest> requests;
  for (const char* where : {"main", "fun4", "inner", "main"}) {
    requests.push_back({.module = &modules[0], .offset = first.address(where)});
    requests.push_back({.module = &modules[1], .offset = second.address(where)});
    requests.push_back({.module = &modules[2], .offset = 0x1234});
    requests.push_back({.module = &modules[0], .offset = first.address(where), .is_return_address = false});
  }
  std::vector<std::pair<size_t, size_t>> progress;
  Symbolizer symbolizer(nowhere_else());
  auto answers = symbolizer.symbolize(requests, [&](size_t done, size_t total) { progress.emplace_back(done, total); });

  ASSERT_EQ(answers.size(), requests.size());
  Symbolizer one_by_one(nowhere_else());
  for (size_t i = 0; i < requests.size(); ++i) {
    const SymbolRequest& request = requests[i];
    EXPECT_EQ(answers[i], one_by_one.symbolize(*request.module, request.offset, request.is_return_address)) << i;
  }
  ASSERT_FALSE(progress.empty());
  EXPECT_EQ(progress.back(), std::pair(requests.size(), requests.size()));
  EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
}

}  // namespace
}  // namespace culprit
