#include "view/source_excerpt.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace culprit {
namespace {

class SourceExcerptTest : public testing::Test {
 protected:
  SourceExcerptTest() {
    folder_ = std::filesystem::path(testing::TempDir()) / "culprit_source_excerpt";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~SourceExcerptTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& content) {
    std::ofstream(folder_ / "a.cc", std::ios::binary) << content;
    return folder_ / "a.cc";
  }

  std::filesystem::path folder_;
};

TEST_F(SourceExcerptTest, ShowsTheLineAndTwoOnEachSide) {
  auto lines = read_source_excerpt(file("1\n2\n3\n\tfour\n5\n6\n7\n"), 4).lines;
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0].number, 2u);
  EXPECT_EQ(lines[2].text, "    four");
  EXPECT_TRUE(lines[2].blamed);
  EXPECT_FALSE(lines[1].blamed);
}

TEST_F(SourceExcerptTest, StopsAtTheEndsOfTheFile) {
  std::string path = file("1\n2\n3");
  EXPECT_EQ(read_source_excerpt(path, 1).lines.size(), 3u);
  EXPECT_EQ(read_source_excerpt(path, 3).lines.back().text, "3");
  EXPECT_TRUE(read_source_excerpt(path, 4).lines.empty()) << "the file has changed since";
  EXPECT_TRUE(read_source_excerpt(path, 4'000'000'000).lines.empty());
  EXPECT_TRUE(read_source_excerpt(path, 0).lines.empty());
  EXPECT_TRUE(read_source_excerpt(file(""), 1).lines.empty());
}

TEST_F(SourceExcerptTest, ReadsOrdinaryFilesOnly) {
  EXPECT_TRUE(read_source_excerpt(folder_, 1).lines.empty());
  EXPECT_TRUE(read_source_excerpt(folder_ / "missing", 1).lines.empty());
  EXPECT_TRUE(read_source_excerpt("a.cc", 1).lines.empty()) << "relative to what?";
  std::string fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_TRUE(read_source_excerpt(fifo, 1).lines.empty()) << "and does not wait for a writer";
  EXPECT_TRUE(read_source_excerpt(file(std::string("a\0b\n", 4)), 1).lines.empty()) << "not text";
}

TEST_F(SourceExcerptTest, MakesControlCharactersVisibleAndBoundsLines) {
  EXPECT_EQ(read_source_excerpt(file("a\x1b[2Jb\r\n"), 1).lines.at(0).text.find('\x1b'), std::string::npos);
  EXPECT_LE(read_source_excerpt(file(std::string(1'000'000, 'x')), 1).lines.at(0).text.size(), 300u);
}

}  // namespace
}  // namespace culprit
