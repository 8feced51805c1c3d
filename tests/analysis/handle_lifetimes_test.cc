#include "analysis/handle_lifetimes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "support/trace_builder.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TraceBuilder;

// "3 open..close" for each life, in order of ending.
struct Lives final : HandleLifeSink {
  void on_life(const HandleLife& life) override { lives.push_back(life); }
  std::vector<std::string> words() const {
    std::vector<std::string> words;
    for (const HandleLife& life : lives) {
      words.push_back(std::to_string(life.value) + " " + std::string(name_of(life.how_created)) + ".." +
                      std::string(name_of(life.how_closed)));
    }
    return words;
  }
  std::vector<HandleLife> lives;
};

class HandleLifetimesTest : public ::testing::Test {
 protected:
  std::vector<std::string> words() {
    EXPECT_TRUE(trace.replay(lifetimes));
    lifetimes.finish(trace.info().ended);
    return lives.words();
  }
  std::map<LossKind, uint64_t> losses() {
    std::map<LossKind, uint64_t> counts;
    for (const Loss& loss : lifetimes.losses()) counts[loss.kind] += loss.count;
    return counts;
  }
  const ProcessFacts& facts(ProcessId id) { return lifetimes.processes().at(index_of(id)); }

  TraceBuilder trace;
  ProcessId p = trace.process(100, "program");
  ProcessId child = trace.process(101, "child");
  Lives lives;
  HandleLifetimes lifetimes{trace.tables(), lives};
};

TEST_F(HandleLifetimesTest, ACloseEndsTheNewestLifeOfItsNumber) {
  trace.open(1, p, 3).close(2, p, 3).open(3, p, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close", "3 open..still open"));
  EXPECT_EQ(lives.lives[0].created, trace.ms(1));
  EXPECT_EQ(lives.lives[0].closed, trace.ms(2));
  EXPECT_NE(lives.lives[0].object, lives.lives[1].object);
}

TEST_F(HandleLifetimesTest, Dup2OverAnOpenNumberReplacesItAndSharesTheObject) {
  trace.open(1, p, 3).open(2, p, 4, {.type = "socket"}).dup(3, p, 4, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..replaced", "3 duplicate..still open", "4 open..still open"));
  EXPECT_EQ(lives.lives[1].object, lives.lives[2].object);
  EXPECT_EQ(trace.tables().text(lives.lives[1].type), "socket");
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(HandleLifetimesTest, Dup2OfANumberOntoItselfChangesNothing) {
  trace.open(1, p, 3).dup(2, p, 3, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..still open"));
}

TEST_F(HandleLifetimesTest, ANumberGivenAgainByACallThatCannotReplaceMeansThatItsCloseWasNotSeen) {
  trace.open(1, p, 3).open(2, p, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..vanished", "3 open..still open"));
  EXPECT_EQ(losses()[LossKind::vanished_handle], 1);
}

TEST_F(HandleLifetimesTest, ACloseWithTheTimeOfAReuseByAnotherThreadBelongsToTheOldHandle) {
  trace.open(1, p, 3, {.tid = 1}).open(2, p, 3, {.tid = 2}).close(2, p, 3, 1).close(5, p, 3, 2).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close", "3 open..close"));
  EXPECT_EQ(lives.lives[0].closed, trace.ms(2));
  EXPECT_EQ(lives.lives[1].closed, trace.ms(5));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(HandleLifetimesTest, AThreadMayCloseWhatItOpenedAtTheSameTime) {
  trace.open(2, p, 3).close(2, p, 3).open(2, p, 3).close(2, p, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close", "3 open..close"));
}

TEST_F(HandleLifetimesTest, CloseRangeEndsAllInItAndOnlyThem) {
  trace.open(1, p, 3).open(1, p, 4).open(1, p, 200).open(1, p, 5'000'000).close_range(2, p, 4, INT64_MAX).ends(10);
  EXPECT_THAT(words(), ElementsAre("4 open..close", "200 open..close", "5000000 open..close", "3 open..still open"));
  EXPECT_EQ(facts(p).failed_closes, 0);
}

TEST_F(HandleLifetimesTest, CloseOfANumberThatIsNotOpenIsCountedAndNoLoss) {
  trace.close(1, p, 77).open(2, p, 3).close(3, p, 3).close(4, p, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close"));
  EXPECT_EQ(facts(p).failed_closes, 2);
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(HandleLifetimesTest, AReceivedHandleIsToldFromAnOpenedOne) {
  trace.receive(1, p, 9).ends(10);
  EXPECT_THAT(words(), ElementsAre("9 receive..still open"));
}

TEST_F(HandleLifetimesTest, AForkCopiesWhatIsOpenWithItsObjectAndCreator) {
  trace.launch(0, p)
      .open(1, p, 3)
      .open(1, p, 4)
      .close(2, p, 4)
      .fork(3, p, child)
      .close(4, child, 3)
      .exit(5, child)
      .ends(10);
  EXPECT_THAT(words(), ElementsAre("4 open..close", "3 inherit..close", "3 open..still open"));
  EXPECT_EQ(lives.lives[1].object, lives.lives[2].object);
  EXPECT_EQ(lives.lives[1].creating, p);
  EXPECT_EQ(lives.lives[1].owning, child);
  EXPECT_EQ(lives.lives[1].created, trace.ms(3));
  EXPECT_EQ(facts(child).inherited, 1);
}

TEST_F(HandleLifetimesTest, ProcessesThatShareATableCloseEachOthersHandlesAndTheLastOneEndsIt) {
  trace.launch(0, p).open(1, p, 3).open(1, p, 4);
  trace.change(2, child, ProcessChange::forked_sharing, p).close(3, child, 3).exit(4, p).close(5, child, 4);
  trace.open(6, child, 5).exit(7, child).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close", "4 open..close", "5 open..exit"));
  EXPECT_EQ(lives.lives[0].closing, child);
  EXPECT_EQ(lives.lives[0].owning, p);
}

TEST_F(HandleLifetimesTest, AnExecEndsTheSharingOfATable) {
  trace.launch(0, p).open(1, p, 3).change(2, child, ProcessChange::forked_sharing, p);
  trace.exec(3, child).close(4, child, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 inherit..close", "3 open..still open"));
}

TEST_F(HandleLifetimesTest, WhatTheSnapshotAfterAnExecMissesWasClosedByTheExec) {
  trace.launch(0, p).open(1, p, 3).open(1, p, 4).exec(2, p).snapshot(3, 3, p, SnapshotReason::exec, true,
                                                                     {{.value = 3}});
  trace.exit(9, p).ends(10);
  EXPECT_THAT(words(), ElementsAre("4 open..exec", "3 open..exit"));
  EXPECT_EQ(lives.lives[0].closed, trace.ms(2));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(HandleLifetimesTest, WhatTheSnapshotAfterAnExecHasWithoutAnEventIsOfUnknownOrigin) {
  trace.launch(0, p).snapshot(0, 0, p, SnapshotReason::start, true, {{.value = 0, .type = "terminal"}});
  trace.exec(2, p)
      .snapshot(3, 3, p, SnapshotReason::exec, true, {{.value = 0, .type = "terminal"}, {.value = 7}})
      .ends(10);
  EXPECT_THAT(words(), ElementsAre("0 existing..still open", "7 unknown origin..still open"));
  EXPECT_EQ(losses()[LossKind::unknown_origin], 1);
}

TEST_F(HandleLifetimesTest, TheEndOfAProcessClosesTheRest) {
  trace.launch(0, p).open(1, p, 3).change(2, p, ProcessChange::killed, ProcessId::none, 9).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..exit"));
  EXPECT_EQ(lives.lives[0].closed, trace.ms(2));
  EXPECT_EQ(facts(p).end, ProcessEnd::killed);
  EXPECT_EQ(facts(p).status, 9);
  EXPECT_EQ(facts(p).open_at_end, 1);
}

TEST_F(HandleLifetimesTest, EventsStampedAfterTheEndOfTheirProcessAreIgnored) {
  trace.launch(0, p).exit(2, p).open(3, p, 3).ends(10);
  EXPECT_THAT(words(), IsEmpty());
}

TEST_F(HandleLifetimesTest, EventsOfAChildStampedBeforeItsForkAreKept) {
  trace.launch(0, p)
      .open(1, p, 3)
      .open(1, p, 4)
      .close(2, child, 3)
      .open(2, child, 5)
      .fork(3, p, child)
      .exit(4, child)
      .ends(10);
  EXPECT_THAT(words(), ElementsAre("4 inherit..exit", "5 open..exit", "3 open..still open", "4 open..still open"));
}

TEST_F(HandleLifetimesTest, TheFirstSnapshotShowsWhatWasThereBefore) {
  trace.launch(0, p).snapshot(0, 1, p, SnapshotReason::start, false, {{.value = 0, .type = "terminal"}, {.value = 5}});
  trace.close(2, p, 5).ends(10);
  EXPECT_THAT(words(), ElementsAre("5 existing..close", "0 existing..still open"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(HandleLifetimesTest, ASnapshotFillsInWhatTheCallDidNotTell) {
  trace.launch(0, p).snapshot(0, 0, p, SnapshotReason::start, true, {}).receive(1, p, 3);
  trace.open(1, p, 4, {.type = "file", .name = "log"}).open(1, p, 5, {.type = "eventfd"});
  trace.snapshot(
      2, 3, p, SnapshotReason::exit, true,
      {{3, "socket", "socket:[tcp 127.0.0.1:80]", 12}, {4, "directory", "/tmp/log", 13}, {5, "other", "anon", 14}});
  trace.ends(10);
  EXPECT_THAT(words(), ElementsAre("3 receive..still open", "4 open..still open", "5 open..still open"));
  const TraceTables& tables = trace.tables();
  EXPECT_EQ(tables.text(lives.lives[0].type), "socket");
  EXPECT_EQ(tables.text(lives.lives[0].name), "socket:[tcp 127.0.0.1:80]");
  EXPECT_EQ(lives.lives[0].inode, 12);
  EXPECT_EQ(tables.text(lives.lives[1].type), "directory");
  EXPECT_EQ(tables.text(lives.lives[1].name), "/tmp/log");
  EXPECT_EQ(tables.text(lives.lives[2].type), "eventfd") << "a worse type must not replace a better one";
}

class AfterStart : public HandleLifetimesTest {
 protected:
  AfterStart() { trace.launch(0, p).snapshot(0, 0, p, SnapshotReason::start, true, {}); }
};

TEST_F(AfterStart, AHandleThatASnapshotMissesHasVanished) {
  trace.open(1, p, 3).snapshot(5, 6, p, SnapshotReason::periodic, false, {}).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..vanished"));
  EXPECT_EQ(lives.lives[0].closed, trace.ms(5));
  EXPECT_EQ(losses()[LossKind::vanished_handle], 1);
}

TEST_F(AfterStart, NumbersThatChangeWhileASnapshotIsReadAreNotJudged) {
  trace.open(1, p, 3)
      .snapshot(5, 7, p, SnapshotReason::exit, false, {{.value = 3}})
      .close(6, p, 3)
      .open(6.5, p, 4)
      .ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close", "4 open..still open"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(AfterStart, ACreationStampedJustAfterTheSnapshotThatSawItIsNoUnknownHandle) {
  trace.snapshot(5, 6, p, SnapshotReason::periodic, false, {{.value = 3}}).open(6.1, p, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..still open"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(AfterStart, ACreationStampedAfterAHeldSnapshotAdoptsWhatItFound) {
  trace.snapshot(5, 6, p, SnapshotReason::on_demand, true, {{.value = 3}}).open(6.1, p, 3).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..still open"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(AfterStart, ACloseStampedJustBeforeTheSnapshotThatStillSawItIsNoUnknownHandle) {
  trace.open(1, p, 3).close(4.9, p, 3).snapshot(5, 6, p, SnapshotReason::periodic, false, {{.value = 3}});
  trace.snapshot(8, 9, p, SnapshotReason::periodic, false, {}).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..close"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(AfterStart, WhatTwoSnapshotsSeeAndNoEventExplainsIsOfUnknownOrigin) {
  trace.snapshot(2, 3, p, SnapshotReason::periodic, false, {{.value = 9, .inode = 5}});
  trace.snapshot(5, 6, p, SnapshotReason::periodic, false, {{.value = 9, .inode = 5}}).ends(10);
  EXPECT_THAT(words(), ElementsAre("9 unknown origin..still open"));
  EXPECT_EQ(lives.lives[0].created, trace.ms(2));
  EXPECT_EQ(losses()[LossKind::unknown_origin], 1);
}

TEST_F(AfterStart, TheExitSnapshotNeedsNoSecondLook) {
  trace.snapshot(2, 3, p, SnapshotReason::exit, false, {{.value = 9}}).exit(3, p).ends(10);
  EXPECT_THAT(words(), ElementsAre("9 unknown origin..exit"));
}

TEST_F(AfterStart, AnUnexplainedHandleIsConfirmedByItsClose) {
  trace.snapshot(2, 3, p, SnapshotReason::periodic, false, {{.value = 9}}).close(5, p, 9).ends(10);
  EXPECT_THAT(words(), ElementsAre("9 unknown origin..close"));
}

TEST_F(AfterStart, AnotherTypeUnderTheSameNumberMeansAnUnseenReuse) {
  trace.open(1, p, 3, {.type = "eventfd"})
      .snapshot(5, 6, p, SnapshotReason::exit, true, {{.value = 3, .type = "socket"}});
  trace.ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..vanished", "3 unknown origin..still open"));
  EXPECT_EQ(losses()[LossKind::vanished_handle], 1);
  EXPECT_EQ(losses()[LossKind::unknown_origin], 1);
}

TEST_F(AfterStart, AnotherInodeUnderTheSameNumberMeansAnUnseenReuse) {
  trace.open(1, p, 3, {.type = "file"}).snapshot(2, 3, p, SnapshotReason::periodic, true, {{3, "file", "/a", 1}});
  trace.snapshot(5, 6, p, SnapshotReason::exit, true, {{3, "file", "/b", 2}}).ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..vanished", "3 unknown origin..still open"));
}

TEST_F(AfterStart, AFileMayTurnOutToBeATerminal) {
  trace.open(1, p, 3, {.type = "file"})
      .snapshot(5, 6, p, SnapshotReason::exit, true, {{.value = 3, .type = "terminal"}});
  trace.ends(10);
  EXPECT_THAT(words(), ElementsAre("3 open..still open"));
}

TEST_F(AfterStart, AHandleMadeWhileItsProcessForkedMayBeMissingInTheChild) {
  trace.open(9.999, p, 3)
      .fork(10, p, child)
      .snapshot(11, 12, child, SnapshotReason::start, true, {})
      .exit(20, child)
      .ends(30);
  EXPECT_THAT(words(), ElementsAre("3 open..still open"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(AfterStart, AHandleClosedWhileItsProcessForkedMayLiveOnInTheChild) {
  trace.open(1, p, 3).close(9.999, p, 3).fork(10, p, child);
  trace.snapshot(11, 12, child, SnapshotReason::start, true, {{.value = 3}}).exit(20, child).ends(30);
  EXPECT_THAT(words(), ElementsAre("3 open..close", "3 inherit..exit"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(AfterStart, UnknownHandlesAreCountedOnceAndNotAgainInEachChild) {
  trace.snapshot(2, 3, p, SnapshotReason::on_demand, true, {{.value = 9}}).fork(10, p, child);
  trace.snapshot(11, 12, child, SnapshotReason::start, true, {{.value = 9}}).exit(20, child).ends(30);
  EXPECT_THAT(words(), ElementsAre("9 inherit..exit", "9 unknown origin..still open"));
  EXPECT_EQ(losses()[LossKind::unknown_origin], 1);
}

TEST_F(HandleLifetimesTest, NonsenseFromADamagedRecordingIsStepedOver) {
  trace.open(1, id_at<ProcessId>(4'000'000'000), 3).open(1, p, -5).close(1, p, INT64_MIN).open(-3e9, p, 3);
  trace.close_range(2, p, 9, 3)
      .fork(3, id_at<ProcessId>(99), child)
      .fork(3, p, p)
      .open(4, p, INT64_MAX)
      .close(5, p, INT64_MAX);
  trace.ends(10);
  EXPECT_THAT(words(), ElementsAre("9223372036854775807 open..close"));
}

TEST_F(HandleLifetimesTest, MoreHandlesThanCanBeFollowedAreALossAndNotACrash) {
  for (int64_t i = 0; i < 70'000; ++i) trace.open(1, p, (int64_t{1} << 40) + i);
  trace.ends(10);
  EXPECT_EQ(words().size(), 65'536);
  EXPECT_EQ(losses()[LossKind::memory_limit], 70'000 - 65'536);
}

}  // namespace
}  // namespace culprit
