// Where threads go on when a patch comes or goes under them.
#include "capture/stub_moves.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "wire/agent_attach.h"

namespace culprit {
namespace {

constexpr uint64_t site_at = 0x10000, stub_at = 0x40080;

PatchedSite accept_site() {
  PatchedSite patched{site_at, stub_at, {}};
  patched.site.kind = CULPRIT_SITE_CALL;
  patched.site.number = SYS_accept;
  patched.site.length = 7;
  patched.site.syscall_offset = 5;
  patched.site.first_length = 5;
  return patched;
}

TEST(StubMoves, OutOfACallIsBehindItsSystemCallInLibc) {
  EXPECT_EQ(way_out_of_stub(accept_site(), stub_at + CULPRIT_STUB_AFTER_SWITCH), site_at + 7);
  EXPECT_EQ(way_out_of_stub(accept_site(), stub_at + CULPRIT_STUB_JUMP_BACK), site_at + 7);
}

TEST(StubMoves, OutOfACallThatIsYetToBeMadeIsInFrontOfIt) {
  EXPECT_EQ(way_out_of_stub(accept_site(), stub_at), site_at);
  EXPECT_EQ(way_out_of_stub(accept_site(), stub_at + 5), site_at + 5);
  EXPECT_EQ(way_out_of_stub(accept_site(), stub_at + CULPRIT_STUB_BEFORE_HOOK), site_at + 5);
  EXPECT_EQ(way_out_of_stub(accept_site(), stub_at + CULPRIT_STUB_SYSTEM_CALL), site_at + 5);
}

TEST(StubMoves, AHookHasToBeLeftFirst) {
  for (uint64_t offset = CULPRIT_STUB_BEFORE_HOOK + 1; offset < CULPRIT_STUB_SYSTEM_CALL; offset++)
    EXPECT_FALSE(way_out_of_stub(accept_site(), stub_at + offset)) << offset;
  for (uint64_t offset = CULPRIT_STUB_AFTER_HOOK + 1; offset < CULPRIT_STUB_COPIED_AFTER; offset++)
    EXPECT_FALSE(way_out_of_stub(accept_site(), stub_at + offset)) << offset;
  EXPECT_FALSE(way_out_of_stub(accept_site(), stub_at + CULPRIT_STUB_DATA));
}

TEST(StubMoves, AnExecWhoseEnvironmentIsOursIsMade) {
  PatchedSite exec = accept_site();
  exec.site.number = SYS_execve;
  EXPECT_FALSE(way_out_of_stub(exec, stub_at + CULPRIT_STUB_SYSTEM_CALL));
  EXPECT_EQ(way_out_of_stub(exec, stub_at + CULPRIT_STUB_AFTER_SWITCH), site_at + 7);
}

TEST(StubMoves, BytesBehindASystemCallAreDoneOnce) {
  PatchedSite read = accept_site();
  read.site.kind = CULPRIT_SITE_AFTER;
  read.site.number = SYS_read;
  read.site.length = 6;
  read.site.syscall_offset = 0;
  EXPECT_EQ(way_out_of_stub(read, stub_at), site_at);
  EXPECT_EQ(way_out_of_stub(read, stub_at + CULPRIT_STUB_AFTER_SWITCH), site_at);
  EXPECT_EQ(way_out_of_stub(read, stub_at + CULPRIT_STUB_COPIED_AFTER), site_at);
  EXPECT_EQ(way_out_of_stub(read, stub_at + CULPRIT_STUB_COPIED_AFTER + 6), site_at + 6);
}

TEST(StubMoves, AThreadThatWaitsInACallMovesIntoTheStub) {
  user_regs_struct registers{};
  registers.rip = site_at + 7;
  registers.orig_rax = SYS_accept;
  registers.rax = static_cast<unsigned long long>(-512);
  EXPECT_EQ(way_into_stub(accept_site(), registers), stub_at + CULPRIT_STUB_AFTER_SWITCH);

  user_regs_struct over = registers;
  over.rax = 5;  // it has its handle
  EXPECT_FALSE(way_into_stub(accept_site(), over));
  user_regs_struct other = registers;
  other.orig_rax = SYS_close;
  EXPECT_FALSE(way_into_stub(accept_site(), other));
}

TEST(StubMoves, PlacesOfSeveralInstructionsAreNotPatchedLate) {
  PatchedSite site = accept_site();
  EXPECT_TRUE(can_be_patched_late(site.site));
  site.site.first_length = 3;
  EXPECT_FALSE(can_be_patched_late(site.site));
}

}  // namespace
}  // namespace culprit
