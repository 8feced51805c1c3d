// Cores that are cut off, damaged, hostile, or none.
#include "elf_cores.h"

namespace culprit {
namespace {

using ::testing::IsEmpty;

class DamagedCores : public ElfCores {};

TEST_F(DamagedCores, WithMappingsOnTopOfEachOtherKeepThemApart) {
  CoreBuilder builder = with_files();
  for (uint64_t i = 0; i < 3000; ++i) {
    builder.file(base, stack + page * i, i, "/some/data").file(stack + page * i, stack + page * 9000, 0, "/other/data");
    builder.memory(base + page * i, stack, "x").memory(stack + page * i, 9000 * page, "");
  }
  auto core = opened(builder);
  testing::ask_everything(*core);
  uint64_t end = 0;
  for (const TargetMapping& mapping : core->mappings()) {
    EXPECT_GE(mapping.start, end);
    end = mapping.end;
  }
}

TEST_F(DamagedCores, CutOffAnywhereGiveWhatIsThere) {
  for (CoreBuilder builder : {with_files(), usual(), with_files().process_before_threads().notes_at_the_end()}) {
    std::string whole = builder.finish();
    auto complete = from_bytes(whole);
    ASSERT_TRUE(complete);
    size_t threads = 0;
    std::vector<size_t> sizes;
    for (size_t size = 0; size < whole.size(); size += size < 6000 ? 8 : page) sizes.push_back(size / 8 * 8);
    for (size_t size : sizes) {
      std::string bytes = whole.substr(0, size);
      auto cut = from_bytes(bytes);
      if (!cut) {
        EXPECT_LT(size, 2 * page) << cut.error().what;
        EXPECT_FALSE(cut.error().what.empty());
        continue;
      }
      testing::ask_everything(**cut);
      EXPECT_THAT((*cut)->info().losses, ::testing::Not(IsEmpty())) << "cut at " << size;
      size_t found = (*cut)->threads(ThreadWish::stacks)->size();
      EXPECT_GE(found, threads);
      threads = found;
      for (uint64_t address : {base, base + 2 * page + 100, stack}) {
        char byte = byte_at(**cut, address);
        EXPECT_TRUE(byte == '\0' || byte == byte_at(**complete, address)) << "cut at " << size << ", " << address;
      }
    }
  }
}

TEST_F(DamagedCores, WithFlippedBitsDoNoHarm) {
  std::string whole = with_files().finish();
  size_t headers = std::min<size_t>(whole.size(), 64 + 56 * 6 + 4000);
  for (size_t at = 0; at < headers; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      auto core = open_core_bytes(as_bytes(bytes), {.name = "flipped", .places = {.opens_files = false}});
      if (core) testing::ask_everything(**core);
    }
  }
}

std::string sentence(const Result<std::unique_ptr<Target>>& core) { return core ? "opened" : core.error().what; }

TEST_F(DamagedCores, ThatAreNoneAreRefusedInOneSentence) {
  EXPECT_EQ(sentence(from_bytes("")),
            "some.core is empty: the disk was full, or ulimit -c too small, when it was written");
  EXPECT_EQ(sentence(from_bytes("just text")), "some.core is no core file: not an ELF file");
  EXPECT_EQ(sentence(from_bytes(program_.file())), "some.core is a program or library, and not the core of one");
  EXPECT_EQ(sentence(from_bytes(with_files().finish().substr(0, 100))),
            "some.core is cut off before the list of its memory: nothing can be read from it");
  std::string big_endian = with_files().finish();
  big_endian[5] = 2;
  EXPECT_EQ(sentence(from_bytes(big_endian)), "some.core is no core file: a big-endian ELF file");
}

TEST_F(DamagedCores, OfOtherProcessorsSayWhoseTheyAre) {
  EXPECT_EQ(
      sentence(from_bytes(with_files().machine(183).finish())),
      "some.core is the core of a 64-bit aarch64 program (main-thread, pid 40, ended by SIGSEGV); only those of x86-64 "
      "programs can be asked here, gdb-multiarch reads the others");
}

TEST_F(DamagedCores, Of32BitProgramsSayWhoseTheyAre) {
  // struct elf_prpsinfo of i386: pr_pid at 12, pr_fname at 28.
  std::string info(124, '\0');
  info.replace(12, 1, "\x11");
  info.replace(28, 6, "narrow");
  std::string notes = testing::elf_note("CORE", 3, info);
  std::string bytes = testing::ByteWriter()
                          .bytes("\177ELF")
                          .u8(1)
                          .u8(1)
                          .u8(1)
                          .bytes(std::string(9, '\0'))
                          .u16(4)
                          .u16(3)
                          .u32(1)
                          .u32(0)
                          .u32(52)
                          .u32(0)
                          .u32(0)
                          .u16(52)
                          .u16(32)
                          .u16(1)
                          .u16(0)
                          .u16(0)
                          .u16(0)
                          .u32(4)
                          .u32(84)
                          .u32(0)
                          .u32(0)
                          .u32(notes.size())
                          .u32(0)
                          .u32(0)
                          .u32(4)
                          .bytes(notes)
                          .text();
  EXPECT_EQ(
      sentence(from_bytes(bytes)),
      "some.core is the core of a 32-bit i386 program (narrow, pid 17); only those of x86-64 programs can be asked "
      "here, gdb-multiarch reads the others");
}

}  // namespace
}  // namespace culprit
