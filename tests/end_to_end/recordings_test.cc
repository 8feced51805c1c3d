// Recordings that are damaged or none at all: an answer or one clear sentence, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Recordings : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    TemporaryFolder folder;
    Ran ran = run(under_culprit({"-o", folder / "good", "--report", "/dev/null"}, {program("steady_worker"), "20000"}));
    good_ = contents(folder / "good");
    EXPECT_EQ(ran.ending(), "exit 5") << ran.err;
  }
  void SetUp() override { ASSERT_GT(good_.size(), 1000u); }

  Ran read(std::string_view bytes) {
    write_file(folder_ / "recording", bytes);
    return run({culprit_path(), "handles", "--json", folder_ / "recording"});
  }
  // Refused: status 2, nothing on standard output, one sentence on the error stream.
  static void expect_refusal(const Ran& ran, const std::string& what) {
    EXPECT_EQ(ran.ending(), "exit 2") << what << "\n" << ran.err;
    EXPECT_EQ(ran.out, "") << what;
    EXPECT_THAT(ran.err, StartsWith("culprit: ")) << what;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << what << "\n" << ran.err;
  }
  // Read as far as it goes: an answer that says what is missing. Or refused.
  static void expect_partial_answer_or_refusal(const Ran& ran, const std::string& what) {
    if (ran.exit_code() != 0) return expect_refusal(ran, what);
    Json report = Json::parse(ran.out, nullptr, false);
    ASSERT_FALSE(report.is_discarded()) << what;
    EXPECT_FALSE(report.at("exact").get<bool>()) << what;
    EXPECT_FALSE(report.at("losses").empty()) << what;
  }

  static inline std::string good_;
  TemporaryFolder folder_;
};

TEST_F(Recordings, WholeAreExact) {
  Ran ran = read(good_);
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_TRUE(Json::parse(ran.out).at("exact").get<bool>());
}

TEST_F(Recordings, CutAnywhereGiveWhatIsLeftOrASentence) {
  for (size_t i = 0; i < 24; i++) {
    size_t size = good_.size() * i / 24;
    expect_partial_answer_or_refusal(read(good_.substr(0, size)), "cut to " + std::to_string(size));
  }
  expect_partial_answer_or_refusal(read(good_.substr(0, good_.size() - 1)), "cut by one byte");
}

TEST_F(Recordings, WithOneFlippedBitGiveTheRestOrASentence) {
  for (size_t i = 0; i < 40; i++) {
    // The first half in the headers at the start, where most can be broken.
    size_t at = i < 20 ? i * 9 : good_.size() * (i - 20) / 20 + i;
    if (at >= good_.size()) continue;
    std::string bad = good_;
    bad[at] = static_cast<char>(bad[at] ^ (1 << i % 8));
    expect_partial_answer_or_refusal(read(bad), "bit " + std::to_string(i % 8) + " of byte " + std::to_string(at));
  }
}

TEST_F(Recordings, ThatAreEmptyOrForeignAreRefused) {
  expect_refusal(read(""), "empty");
  expect_refusal(read("hello\n"), "text");
  expect_refusal(read(std::string(100000, '\0')), "zeros");
  expect_refusal(read(contents("/bin/true")), "a program");
  expect_refusal(read("MDMP" + std::string(1000, 'x')), "a minidump");
  expect_refusal(read(good_.substr(good_.size() / 2)), "the second half only");
}

TEST_F(Recordings, OfANewerVersionAreRefusedByThatName) {
  std::string newer = good_;
  newer[8] = static_cast<char>(newer[8] + 1);  // the major version, little-endian, after the 8 bytes of magic
  Ran ran = read(newer);
  expect_refusal(ran, "newer");
  EXPECT_THAT(ran.err, HasSubstr("newer"));
}

TEST_F(Recordings, ThatAreNotThereAreRefused) {
  expect_refusal(run({culprit_path(), "handles", folder_ / "nothing"}), "missing");
  expect_refusal(run({culprit_path(), "handles", folder_.path()}), "a folder");
  expect_refusal(run({culprit_path(), "handles", "/dev/null"}), "a device");
}

TEST_F(Recordings, NamesWithControlCharactersNeverReachTheOutputRaw) {
  std::string evil = folder_ / "\x1b]0;owned\x07 \xe2\x80\xae name";
  write_file(evil, "x");
  std::string script = "exec 7< '" + evil + "'; exec 8< '" + evil + "'; exit 0";
  Ran ran = run(under_culprit({"--all"}, {"/bin/sh", "-c", script}));
  EXPECT_EQ(ran.ending(), "exit 0");
  EXPECT_THAT(watch({"/bin/sh", "-c", script}).report.dump(), HasSubstr("owned"));  // the name was recorded
  EXPECT_EQ(ran.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(ran.err.find('\x07'), std::string::npos);
  EXPECT_EQ(ran.err.find("\xe2\x80\xae"), std::string::npos);
}

}  // namespace
}  // namespace culprit::test
