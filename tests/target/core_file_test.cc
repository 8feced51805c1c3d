#include "target/core_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cstdio>

#include "base/fd.h"
#include "base/syscall.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

class CoreFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/core_file_test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/core";
    content_ = std::string(3'000'000, '\0') + "ELF or not" + std::string(10'000, '\0');
    for (size_t i = 0; i < 200'000; ++i) content_ += static_cast<char>(i * i >> 3);
    ::setenv("TMPDIR", folder_.c_str(), 1);
  }
  void TearDown() override {
    ::unlink(path_.c_str());
    EXPECT_EQ(::rmdir(folder_.c_str()), 0) << "something was left behind";
    ::unsetenv("TMPDIR");
  }
  void write(std::string_view bytes) {
    auto file = open_file(path_, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_TRUE(file);
    ASSERT_TRUE(write_all(file->get(), bytes));
  }
  static std::string zstd(const std::string& content) {
    std::string packed(ZSTD_compressBound(content.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), content.data(), content.size(), 1));
    return packed;
  }
  static std::string lz4(const std::string& content) {
    std::string packed(LZ4F_compressFrameBound(content.size(), nullptr), '\0');
    packed.resize(LZ4F_compressFrame(packed.data(), packed.size(), content.data(), content.size(), nullptr));
    return packed;
  }
  static std::string text(const CoreFile& file) { return std::string(as_text(file.mapping.bytes())); }

  std::string folder_, path_, content_;
};

TEST_F(CoreFiles, ArePlain) {
  write(content_);
  auto file = read_core_file(path_);
  ASSERT_TRUE(file);
  EXPECT_TRUE(text(*file) == content_);
}

TEST_F(CoreFiles, AreCompressedByZstd) {
  write(zstd(content_));
  auto file = read_core_file(path_);
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_TRUE(text(*file) == content_);
  EXPECT_EQ(file->incomplete, "");
}

TEST_F(CoreFiles, AreCompressedByLz4) {
  write(lz4(content_));
  auto file = read_core_file(path_);
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_TRUE(text(*file) == content_);
  EXPECT_EQ(file->incomplete, "");
}

TEST_F(CoreFiles, MayConsistOfSeveralFrames) {
  write(zstd(content_) + zstd("more"));
  auto by_zstd = read_core_file(path_);
  ASSERT_TRUE(by_zstd);
  EXPECT_TRUE(text(*by_zstd) == content_ + "more");
  write(lz4(content_) + lz4("more"));
  auto by_lz4 = read_core_file(path_);
  ASSERT_TRUE(by_lz4);
  EXPECT_TRUE(text(*by_lz4) == content_ + "more");
}

TEST_F(CoreFiles, ThatAreCutOffGiveWhatComesBefore) {
  for (const std::string& packed : {zstd(content_), lz4(content_)}) {
    write(packed.substr(0, packed.size() * 3 / 4));
    auto file = read_core_file(path_);
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ(file->incomplete, "it is cut off");
    EXPECT_GT(file->mapping.size(), 0u);
    EXPECT_TRUE(content_.starts_with(text(*file)));
  }
}

TEST_F(CoreFiles, ThatAreDamagedSayHow) {
  for (const std::string& packed : {zstd(content_), lz4(content_)}) {
    write(packed.substr(0, packed.size() / 2) + std::string(packed.size(), '\xff'));
    auto file = read_core_file(path_);
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_THAT(file->incomplete, HasSubstr("damaged"));
  }
}

TEST_F(CoreFiles, OfZerosTakeNoRoom) {
  write(zstd(std::string(size_t{256} << 20, '\0')));
  auto file = read_core_file(path_, {.keep_free = 0});
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->mapping.size(), size_t{256} << 20);
}

TEST_F(CoreFiles, AreNotDecompressedBeyondTheBound) {
  write(zstd(content_));
  auto file = read_core_file(path_, {.most_bytes = 1 << 20});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::limit);
  EXPECT_THAT(file.error().what, HasSubstr("more than 1.0 MB"));
}

TEST_F(CoreFiles, LeaveTheDiskToOthers) {
  write(lz4(content_));
  auto file = read_core_file(path_, {.keep_free = uint64_t{1} << 60});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::limit);
  EXPECT_THAT(file.error().what, HasSubstr("no room in " + folder_));
  EXPECT_THAT(file.error().what, HasSubstr("set TMPDIR"));
}

TEST_F(CoreFiles, NameTheToolForOtherCompressions) {
  using namespace std::string_view_literals;
  write("\xfd\x37zXZ\0 and so on"sv);
  auto file = read_core_file(path_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(file.error().what, HasSubstr("decompress it by xz -d"));
}

TEST_F(CoreFiles, AreRegularFiles) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  auto file = read_core_file(path_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace culprit
