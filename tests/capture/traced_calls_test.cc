#include "capture/traced_calls.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include <set>

#include "capture/handle_calls.h"
#include "support/byte_writer.h"

namespace culprit {
namespace {

using testing::ByteWriter;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t here = 0x10000;

std::vector<MadeHandle> made(uint64_t number, CallArguments arguments, int64_t result, const std::string& memory = "") {
  CopiedMemory copied(here, as_bytes(memory));
  return made_by(number, arguments, result, copied);
}

MadeHandle opened(int32_t value) { return {value}; }
MadeHandle received(int32_t value) { return {value, HandleAction::receive}; }
MadeHandle copy(int32_t value, int32_t of) { return {value, HandleAction::duplicate, of}; }

std::string words(std::initializer_list<int32_t> values) {
  ByteWriter writer;
  for (int32_t value : values) writer.u32(static_cast<uint32_t>(value));
  return writer.text();
}

TEST(TracedCalls, KnowEveryCallThatTheAgentPatches) {
  // Of these, some end a process or a thread, or change limits or signals: the agent cares, a tracer hears of it
  // otherwise. brk is about memory, which a tracer does not record.
  const std::set<uint16_t> otherwise{__NR_brk,          __NR_exit,        __NR_exit_group,
                                     __NR_prctl,        __NR_setrlimit,   __NR_prlimit64,
                                     __NR_rt_sigaction, __NR_sigaltstack, __NR_set_robust_list};
  for (uint16_t number : patched_calls()) {
    EXPECT_EQ(traced_call(number).kind == CallKind::other, otherwise.contains(number)) << number;
  }
}

TEST(TracedCalls, GiveTheirResultAsTheNewHandle) {
  EXPECT_THAT(made(__NR_openat, {}, 5), ElementsAre(opened(5)));
  EXPECT_THAT(made(__NR_accept4, {}, 7), ElementsAre(opened(7)));
  EXPECT_THAT(made(__NR_pidfd_getfd, {}, 8), ElementsAre(received(8)));
  EXPECT_THAT(made(__NR_write, {}, 5), IsEmpty());
}

TEST(TracedCalls, MakeCopiesUnlessNothingChanges) {
  EXPECT_THAT(made(__NR_dup, {3}, 5), ElementsAre(copy(5, 3)));
  EXPECT_THAT(made(__NR_dup2, {3, 5}, 5), ElementsAre(copy(5, 3)));
  EXPECT_THAT(made(__NR_dup2, {5, 5}, 5), IsEmpty());
  EXPECT_THAT(made(__NR_fcntl, {3, F_DUPFD_CLOEXEC, 0}, 5), ElementsAre(copy(5, 3)));
  EXPECT_THAT(made(__NR_fcntl, {3, F_GETFL}, 2), IsEmpty());
  EXPECT_THAT(made(__NR_signalfd4, {4}, 4), IsEmpty());
}

TEST(TracedCalls, WritePairsIntoMemory) {
  EXPECT_THAT(made(__NR_pipe2, {here}, 0, words({3, 4})), ElementsAre(opened(3), opened(4)));
  EXPECT_THAT(made(__NR_socketpair, {1, 1, 0, here}, 0, words({5, 6})), ElementsAre(opened(5), opened(6)));
  EXPECT_THAT(made(__NR_pipe2, {here + 4}, 0, words({3, 4})), IsEmpty());  // it cannot be read
}

TEST(TracedCalls, WriteSomeHandlesIntoArguments) {
  EXPECT_THAT(made(__NR_getsockopt, {3, SOL_SOCKET, 77, here}, 0, words({9})), ElementsAre(opened(9)));
  EXPECT_THAT(made(__NR_getsockopt, {3, SOL_SOCKET, SO_TYPE, here}, 0, words({1})), IsEmpty());
  EXPECT_THAT(made(__NR_clone, {CLONE_PIDFD, 0, here}, 1234, words({9})), ElementsAre(opened(9)));
  EXPECT_THAT(made(__NR_clone, {0, 0, here}, 1234, words({9})), IsEmpty());
  EXPECT_THAT(made(__NR_ioctl, {3, 0x5441}, 9), ElementsAre(opened(9)));                              // TIOCGPTPEER
  EXPECT_THAT(made(__NR_ioctl, {3, 0xc00c642d, here}, 0, words({0, 0, 9})), ElementsAre(opened(9)));  // PRIME
  EXPECT_THAT(made(__NR_ioctl, {3, 0x5413, here}, 0, words({0, 0, 9})), IsEmpty());                   // TIOCGWINSZ
}

// struct msghdr at `here` with control data right behind.
std::string message(const std::string& control, uint64_t control_length) {
  ByteWriter writer;
  writer.u64(0).u64(0).u64(0).u64(0).u64(here + 56).u64(control_length).u64(0);
  return writer.bytes(control).text();
}
std::string control(uint64_t length, int32_t level, int32_t type, std::initializer_list<int32_t> values) {
  ByteWriter writer;
  writer.u64(length).u32(static_cast<uint32_t>(level)).u32(static_cast<uint32_t>(type));
  return writer.bytes(words(values)).text();
}

TEST(TracedCalls, ReceiveHandlesInMessages) {
  std::string rights = control(16 + 8, SOL_SOCKET, SCM_RIGHTS, {4, 5});
  EXPECT_THAT(made(__NR_recvmsg, {3, here}, 1, message(rights, rights.size())), ElementsAre(received(4), received(5)));
  std::string other = control(16 + 8, SOL_SOCKET, SCM_CREDENTIALS, {4, 5});
  std::string both = other + rights;
  EXPECT_THAT(made(__NR_recvmsg, {3, here}, 1, message(both, both.size())), ElementsAre(received(4), received(5)));
}

TEST(TracedCalls, DoNotBelieveLengthsInMessages) {
  std::string rights = control(16 + 8, SOL_SOCKET, SCM_RIGHTS, {4, 5});
  std::string endless = control(1 << 30, SOL_SOCKET, SCM_RIGHTS, {4, 5});
  std::string none = control(0, SOL_SOCKET, SCM_RIGHTS, {4, 5});
  EXPECT_THAT(made(__NR_recvmsg, {3, here}, 1, message(endless, endless.size())), IsEmpty());
  EXPECT_THAT(made(__NR_recvmsg, {3, here}, 1, message(none, none.size())), IsEmpty());
  EXPECT_THAT(made(__NR_recvmsg, {3, here}, 1, message(rights, 17)), IsEmpty());
  EXPECT_EQ(made(__NR_recvmmsg, {3, here}, INT32_MAX, message(rights, rights.size())).size(), 2u);
}

TEST(TracedCalls, CloseNumbersAndRanges) {
  auto closed = closed_by(__NR_close, {5});
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->first, 5);
  EXPECT_EQ(closed->last, 5);
  EXPECT_FALSE(closed_by(__NR_close, {static_cast<uint32_t>(-1)}));
  closed = closed_by(__NR_close_range, {3, ~0u, 0});
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->last, INT32_MAX);
  EXPECT_FALSE(closed_by(__NR_close_range, {3, 9, CLOSE_RANGE_CLOEXEC}));
  EXPECT_TRUE(unshares_table(__NR_close_range, {3, 9, CLOSE_RANGE_UNSHARE}));
}

TEST(TracedCalls, ReadTextUpToItsEndOrTheLimit) {
  std::string text = "/etc/passwd";
  CopiedMemory memory(here, as_bytes(std::string_view(text.c_str(), text.size() + 1)));
  // Read in pieces, of which the last may not be there: only whole pages are.
  auto found = read_text(memory, here, 5);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text, "/etc/");
  EXPECT_TRUE(found->is_cut);
  found = read_text(memory, here, 12);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text, text);
  EXPECT_FALSE(found->is_cut);
  EXPECT_FALSE(read_text(memory, 0, 100));
}

}  // namespace
}  // namespace culprit
