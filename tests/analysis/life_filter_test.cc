#include "analysis/life_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/life_replay.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TraceBuilder;
using ::testing::UnorderedElementsAre;

class LifeFilterTest : public ::testing::Test {
 protected:
  // The numbers of the handles that pass, in order of ending.
  std::vector<int64_t> passing(const LifeFilter& filter) {
    struct Values final : HandleLifeSink {
      void on_life(const HandleLife& life) override { values.push_back(life.value); }
      std::vector<int64_t> values;
    } sink;
    SymbolLookup lookup = testing::names_in(trace);
    StackSymbols symbols(trace.tables(), lookup);
    auto choice = choose_stacks(trace, filter, symbols);
    EXPECT_TRUE(choice);
    LifeGate gate(trace.tables(), filter, *choice, sink);
    LifeReplay replay(trace, gate, filter.to);
    EXPECT_TRUE(replay.run());
    older = gate.older;
    return sink.values;
  }
  static Pattern pattern(std::string text) { return *Pattern::compile(std::move(text)); }

  TraceBuilder trace;
  ProcessId server = trace.process(100, "server"), worker = trace.process(1010, "worker-3");
  uint64_t older = 0;
};

TEST_F(LifeFilterTest, TakesProcessesByPidOrName) {
  trace.launch(0, server).launch(0, worker).open(1, server, 3).open(1, worker, 4).ends(10);
  EXPECT_THAT(passing({}), UnorderedElementsAre(3, 4));
  EXPECT_THAT(passing({.processes = {"server"}}), ElementsAre(3));
  EXPECT_THAT(passing({.processes = {"1010"}}), ElementsAre(4));
  EXPECT_THAT(passing({.processes = {"worker-*", "100"}}), UnorderedElementsAre(3, 4));
  EXPECT_THAT(passing({.processes = {"101"}}), IsEmpty());
}

TEST_F(LifeFilterTest, TakesTypesAsTheyAreTyped) {
  trace.launch(0, server).open(1, server, 3, {.type = "perf event"}).open(1, server, 4, {.type = "io_uring"}).ends(10);
  EXPECT_THAT(passing({.types = {"perf event"}}), ElementsAre(3));
  EXPECT_THAT(passing({.types = {"perf_event"}}), ElementsAre(3));
  EXPECT_THAT(passing({.types = {"io_uring", "socket"}}), ElementsAre(4));
}

TEST_F(LifeFilterTest, LooksForStacksInFunctionsFilesAndModules) {
  StackId curl = trace.stack("socket@/lib/libc.so.6 curl_connect@/usr/lib/libcurl.so.4 fetch@server main@server");
  StackId plain = trace.stack("socket@/lib/libc.so.6 serve@server main@server");
  trace.launch(0, server);
  trace.open(1, server, 3, {.stack = curl}).open(1, server, 4, {.stack = plain}).open(1, server, 5).ends(10);
  EXPECT_THAT(passing({.stack = pattern("^fetch$")}), ElementsAre(3));
  EXPECT_THAT(passing({.stack = pattern("libcurl")}), ElementsAre(3));
  EXPECT_THAT(passing({.stack = pattern("program\\.cc:10")}), UnorderedElementsAre(3, 4));
  EXPECT_THAT(passing({.not_stack = pattern("libcurl")}), UnorderedElementsAre(4, 5));
  EXPECT_THAT(passing({.stack = pattern("main"), .not_stack = pattern("curl|nothing")}), ElementsAre(4));
}

TEST_F(LifeFilterTest, TheWindowHoldsWhatWasMadeInItAsItWasAtItsEnd) {
  trace.launch(0, server).open(1, server, 3).open(20, server, 4).open(30, server, 5).close(35, server, 5);
  trace.open(50, server, 6).ends(100);
  const LifeFilter window{.from = TraceBuilder::ms(10), .to = TraceBuilder::ms(32)};
  EXPECT_THAT(passing(window), UnorderedElementsAre(4, 5));  // 5 was closed later
  EXPECT_EQ(older, 1);
  EXPECT_THAT(passing({.to = TraceBuilder::ms(40)}), UnorderedElementsAre(3, 4));
}

TEST_F(LifeFilterTest, CopiesAreAsOldAsTheirOriginal) {
  trace.launch(0, server).open(1, server, 3).fork(20, server, worker).open(21, worker, 4).ends(100);
  EXPECT_THAT(passing({.processes = {"worker-3"}, .from = TraceBuilder::ms(10)}), ElementsAre(4));
}

TEST_F(LifeFilterTest, AgeIsTheTimeAHandleWasOpen) {
  trace.launch(0, server).open(1, server, 3).close(2, server, 3).open(3, server, 4).open(95, server, 5).ends(100);
  EXPECT_THAT(passing({.min_age = 50'000'000}), ElementsAre(4));
  EXPECT_THAT(passing({.min_age = 1'000'000, .lives = Lives::all}), UnorderedElementsAre(3, 4, 5));
}

TEST(Pattern, SaysWhatIsWrongWithIt) {
  auto bad = Pattern::compile("a(b");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind, ErrorKind::usage);
  EXPECT_THAT(bad.error().what, ::testing::HasSubstr("'a(b' is no regular expression: "));
}

TEST(Pattern, TakesTextsOfAnyLengthAndContent) {
  const Pattern pattern = *Pattern::compile("(a|b)*c$");
  EXPECT_FALSE(pattern.found_in(std::string(1 << 20, 'a') + "d"));
  EXPECT_TRUE(pattern.found_in("xxc"));
  EXPECT_FALSE(pattern.found_in(std::string_view("\0c\xff", 3)));
}

}  // namespace
}  // namespace culprit
