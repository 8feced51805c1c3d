#include "view/heap_views.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"

namespace culprit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

HeapReport sample(HeapAsk ask) {
  HeapReport report;
  report.question.ask = ask;
  report.target = "1234";
  report.is_live = true;
  report.pid = 1234;
  report.allocator = "glibc";
  report.arenas.push_back({.address = 0x7f0000000c80,
                           .is_main = true,
                           .pieces = 1,
                           .reserved = 300 << 20,
                           .committed = 300 << 20,
                           .in_use = {203386, 200 << 20},
                           .free = {92753, 90 << 20},
                           .largest_free = 1 << 20,
                           .top = 10 << 20});
  report.arenas.push_back({.address = 0x7f1234000030, .pieces = 2, .reserved = 128 << 20, .committed = 70 << 20});
  report.in_use = {203386, 199 << 20};
  report.matched = report.in_use;
  report.stopped_for = 12'300'000;
  report.walked_bytes = 370 << 20;
  return report;
}

size_t widest_line(const std::string& text) {
  size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, display_width(line));
  return widest;
}

TEST(HeapText, OfASummaryFitsEightyColumns) {
  HeapReport report = sample(HeapAsk::summary);
  report.memory = MemoryReport{
      .uses = {{MemoryKind::arenas, 2, 370 << 20, 360 << 20}, {MemoryKind::anonymous, 3, 64 << 20, 32 << 20}},
      .anonymous = {{0x7f2000000000, 64 << 20, 32 << 20}}};
  report.breaks.push_back({.chunk = 0x555500001000,
                           .what = "the word before the block at 0x555500001010 is no size of a block: 0x41",
                           .before = HeapBlock{.address = 0x555500000f10, .size = 200},
                           .skipped = 208});
  report.losses.push_back({LossKind::heap_damaged, 1, {}});
  report.exact = false;
  const std::string text = heap_as_text(report, {});
  EXPECT_LE(widest_line(text), 80u) << text;
  EXPECT_THAT(text, AllOf(HasSubstr("0x7f1234000030"), HasSubstr("damaged:"), HasSubstr("stood still for 12.3 ms"),
                          HasSubstr("malloc's arenas"), HasSubstr("200 bytes, in use")));
}

TEST(HeapText, CutsLongNamesOfClassesUnlessAllIsAskedFor) {
  HeapReport report = sample(HeapAsk::by_type);
  const std::string name = "trade::Book<" + std::string(500, 'x') + ">";
  report.groups.push_back({.type = name, .count = {5000, 4'100'000}, .example = 0x5555});
  EXPECT_LE(widest_line(heap_as_text(report, {})), 80u);
  EXPECT_THAT(heap_as_text(report, {}), HasSubstr("trade::Book"));
  EXPECT_THAT(heap_as_text(report, {.all = true}), HasSubstr(name));
}

TEST(HeapText, OfLeaksNamesClassCountAndBytes) {
  HeapReport report = sample(HeapAsk::unreachable);
  report.unreachable = UnreachableReport{
      .groups = {{.group = {.type = "Order", .count = {5000, 4'100'000}, .example = 0x555500000010},
                  .behind = {10, 4800},
                  .stale = StalePointer{.at = 0x555500001000, .freed = 0x555500000ff0, .freed_size = 48}},
                 {.group = {.size = 48, .count = {10, 480}, .example = 0x555500000110}, .is_direct = false}},
      .direct = {5000, 4'100'000},
      .indirect = {10, 480},
      .reachable = {100, 100}};
  const std::string text = heap_as_text(report, {});
  EXPECT_LE(widest_line(text), 80u) << text;
  EXPECT_THAT(text, AllOf(HasSubstr("Order ×5,000, "), HasSubstr("in 10 more blocks"), HasSubstr("0x555500000010"),
                          HasSubstr("has been freed"), HasSubstr("only to be reached through those")));
}

TEST(HeapText, SaysThatNothingIsLeaked) {
  HeapReport report = sample(HeapAsk::unreachable);
  report.unreachable = UnreachableReport{.reachable = {203386, 1}};
  EXPECT_THAT(heap_as_text(report, {}), HasSubstr("something points to each of the 203,386 blocks in use"));
}

TEST(HeapText, ShowsControlCharactersOfForeignNames) {
  HeapReport report = sample(HeapAsk::by_type);
  report.groups.push_back({.type = "A\x1b[31m", .count = {1, 1}, .example = 1});
  EXPECT_THAT(heap_as_text(report, {.all = true}), Not(HasSubstr("\x1b[31m")));
}

TEST(HeapJson, HasTheGroupsOfTheContract) {
  HeapReport report = sample(HeapAsk::by_size);
  report.groups.push_back({.size = 42088, .count = {1235, 1235 * 42088}, .example = 0x5555});
  auto json = nlohmann::json::parse(heap_as_json(report));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["allocator"], "glibc");
  EXPECT_EQ(json["groups"][0]["count"], 1235);
  EXPECT_EQ(json["groups"][0]["size"], 42088);
  EXPECT_FALSE(json["groups"][0].contains("type"));
  EXPECT_EQ(json["arenas"][1]["address"], 0x7f1234000030);
  EXPECT_TRUE(json["exact"].get<bool>());
}

}  // namespace
}  // namespace culprit
