// The parts of a crash's page that need no process: messages, exceptions in memory, buckets.
#include <gtest/gtest.h>

#include "analysis/abort_message.h"
#include "analysis/crash_bucket.h"
#include "analysis/thrown_exception.h"
#include "support/byte_writer.h"

namespace culprit {
namespace {

TEST(Assertions, AreReadFromGlibcsMessage) {
  EXPECT_EQ(parse_assertion("server: src/cart.cc:41: void shop::Cart::add(int): Assertion `n > 0 && \"it's\"' failed."),
            (FailedAssertion{"n > 0 && \"it's\"", "src/cart.cc", "void shop::Cart::add(int)", 41}));
  EXPECT_EQ(parse_assertion("a.c:7: Assertion `x' failed.")->expression, "x");
  EXPECT_FALSE(parse_assertion("free(): invalid pointer"));
  EXPECT_FALSE(parse_assertion("' failed. Assertion `"));
}

// Published by others: what WinDbg printed for these.
TEST(Buckets, HaveTheHashesOfWinDbg) {
  EXPECT_EQ(bucket_hash("NULL_CLASS_PTR_READ_c0000005_flash.ocx!Unknown"), "{fc7546b3-cbbe-7687-a761-c90b7fcd1642}");
  EXPECT_EQ(bucket_hash("SOFTWARE_NX_FAULT_c0000005_chrome_child.dll!webrtc::PeerConnection::RemoveTrack"),
            "{8dd97ce9-008b-c2fa-d8f1-2086df973582}");
}

TEST(Buckets, AreOfModuleAndFunctionWithoutWhatDiffersBetweenBuilds) {
  ReportFrame frame;
  frame.module = "/opt/shop/server";
  frame.function = "std::vector<int> shop::Cart<int>::add(int, char const*) const";
  frame.offset = 0x1234;
  EXPECT_EQ(crash_bucket(CrashCause::null_write, 11, &frame), "NULL_POINTER_WRITE_SIGSEGV_server!shop::Cart::add");
  frame.function = "operator new(unsigned long)";
  EXPECT_EQ(crash_bucket(CrashCause::hang, 0, &frame), "APPLICATION_HANG_server!operator_new");
  EXPECT_EQ(crash_bucket(CrashCause::unknown, 11, nullptr), "SIGNAL_SIGSEGV_Unknown!Unknown");
}

// A std::runtime_error as libstdc++ throws it: type information at 0x100, names at 0x200, the object behind its
// headers.
class ThrownExceptions : public ::testing::Test {
 protected:
  static constexpr uint64_t start = 0x10000, header = start + 0x300, object = header + 32;

  void put(uint64_t address, uint64_t value) { memcpy(memory_.data() + (address - start), &value, sizeof value); }
  void put(uint64_t address, std::string_view text) {
    memcpy(memory_.data() + (address - start), text.data(), text.size());
  }

  void SetUp() override {
    put(start + 0x108, start + 0x200);  // name
    put(start + 0x110, start + 0x140);  // base
    put(start + 0x148, start + 0x220);
    put(start + 0x200, "10OrderError");
    put(start + 0x220, "St13runtime_error");
    put(header - 80, start + 0x100);
    put(header, 0x474e5543432b2b00);
    put(object + 8, start + 0x240);
    put(start + 0x240, "no such order");
    put(start + 0x20, header);  // on the stack
  }
  std::optional<ThrownException> find() {
    CopiedMemory memory(start, memory_);
    return find_thrown_exception(memory, start, start + 0x80);
  }

  std::vector<std::byte> memory_ = std::vector<std::byte>(0x400);
};

TEST_F(ThrownExceptions, HaveATypeAndWhatTheirBaseSays) {
  EXPECT_EQ(find(), (ThrownException{object, "OrderError", "no such order"}));
}

TEST_F(ThrownExceptions, OfOtherTypesHaveATypeAlone) {
  put(start + 0x220, std::string("St9exception\0\0\0\0\0", 17));
  EXPECT_EQ(find(), (ThrownException{object, "OrderError", ""}));
}

TEST_F(ThrownExceptions, AreFoundByTheObjectAsWell) {
  put(start + 0x20, object);
  EXPECT_EQ(find()->object, object);
}

TEST_F(ThrownExceptions, WhoseBasesMakeARingEnd) {
  put(start + 0x110, start + 0x100);
  EXPECT_EQ(find()->what, "");
}

TEST_F(ThrownExceptions, AreNotMadeUp) {
  put(header, 0x474e5543432b2b07);
  EXPECT_FALSE(find());
}

}  // namespace
}  // namespace culprit
