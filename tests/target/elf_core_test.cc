#include "target/elf_core.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/ask_target.h"
#include "support/core_builder.h"
#include "support/mapped_elf.h"

namespace culprit {
namespace {

using testing::CoreBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MappedElf;

constexpr uint64_t page = 4096, base = 0x555500000000, library = 0x7f0000000000, stack = 0x7ffe00000000;

// A program and its stack, with cores of it in a folder of its own.
class ElfCores : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/elf_core_test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/program";
    place(path_, program_.file());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static void place(const std::string& path, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }

  // As the kernel stores it: the first page of the file, and what was written to.
  static CoreBuilder& add_module(CoreBuilder& core, uint64_t start, const MappedElf& module) {
    return core.memory(start, page, module.page_of(0), 4)
        .memory(start + page, page, "", 5)
        .memory(start + 2 * page, page, std::string(module.page_of(2)).replace(100, 5, "wrote"), 6)
        .memory(start + 3 * page, page, std::string(page, '\0'), 6);
  }
  static CoreBuilder& add_files(CoreBuilder& core, uint64_t start, const std::string& path) {
    for (uint64_t i = 0; i < 3; ++i) core.file(start + i * page, start + (i + 1) * page, i, path);
    return core;
  }
  CoreBuilder usual() const {
    CoreBuilder core;
    core.thread({.tid = 40,
                 .ip = base + page + 16,
                 .sp = stack + 64,
                 .signal = 11,
                 .signal_info = CoreBuilder::signal_info(11, 1, 0x10)});
    core.thread({.tid = 42,
                 .ip = base + page + 8,
                 .sp = stack + 256,
                 .signal = 11,
                 .call = 202,
                 .result = -512,
                 .argument = 7});
    core.thread({.tid = 41, .ip = base + page + 8, .sp = stack + 128, .signal = 11, .call = 0, .result = 5});
    core.process(40, "main-thread", "program --fast ");
    core.auxiliary(3, base + 64).auxiliary(31, stack + page - 64);
    add_module(core, base, program_);
    std::string content(page, 's');
    content.replace(page - 64, path_.size() + 1, path_.c_str(), path_.size() + 1);
    core.memory(stack, page, content, 6);
    return core;
  }
  CoreBuilder with_files() const {
    CoreBuilder core = usual();
    return add_files(core, base, path_);
  }

  std::unique_ptr<Target> opened(const CoreBuilder& core, const std::string& executable = "") {
    std::string path = folder_ + "/cores/core";
    place(path, core.finish());
    auto target = open_core(path, executable);
    EXPECT_TRUE(target) << target.error().what;
    return target ? std::move(*target) : nullptr;
  }
  static std::vector<LossKind> losses(const Target& target) {
    std::vector<LossKind> kinds;
    for (const Loss& loss : target.info().losses) kinds.push_back(loss.kind);
    return kinds;
  }
  static char byte_at(Target& target, uint64_t address) {
    std::byte byte{'?'};
    return target.memory().read(address, std::span(&byte, 1)) ? static_cast<char>(byte) : '\0';
  }
  static Result<std::unique_ptr<Target>> from_bytes(const std::string& bytes) {
    return open_core_bytes(as_bytes(bytes), {.name = "some.core"});
  }

  MappedElf program_{.build_id = std::string("\x12\x34\x56\x78", 4)};
  std::string folder_, path_;
};

TEST_F(ElfCores, TellWhoDiedOfWhat) {
  auto core = opened(with_files());
  const TargetInfo& info = core->info();
  EXPECT_EQ(info.kind, TargetKind::core);
  EXPECT_EQ(info.pid, 40u);
  EXPECT_EQ(info.executable, path_);
  EXPECT_EQ(info.command, "program --fast");
  EXPECT_EQ(info.signal, 11);
  EXPECT_EQ(info.signal_tid, 40u);
  EXPECT_EQ(info.signal_code, 1);
  EXPECT_EQ(info.fault_address, 0x10u);
  EXPECT_THAT(info.losses, IsEmpty());
}

TEST_F(ElfCores, HaveThreadsInOrderAndTheirBlockingCalls) {
  auto core = opened(with_files());
  auto threads = core->threads(ThreadWish::stacks);
  ASSERT_EQ(threads->size(), 3u);
  const TargetThread &first = (*threads)[0], &running = (*threads)[1], &blocked = (*threads)[2];
  EXPECT_EQ(first.tid, 40u);
  EXPECT_EQ(first.name, "main-thread");
  EXPECT_EQ(first.signal, 11);
  EXPECT_EQ(first.known, RegistersKnown::all);
  EXPECT_FALSE(first.blocked_in);
  EXPECT_EQ(running.tid, 41u);
  EXPECT_EQ(running.name, "");
  EXPECT_EQ(running.signal, 0);      // though the kernel writes 11 into its note, too
  EXPECT_FALSE(running.blocked_in);  // its call has a result
  ASSERT_TRUE(blocked.blocked_in);
  EXPECT_EQ(blocked.blocked_in->number, 202u);
  EXPECT_EQ(blocked.blocked_in->arguments[0], 7u);
  EXPECT_EQ(core->stack_memory(blocked).word(blocked.registers.rsp), 0x7373737373737373u);
}

TEST_F(ElfCores, OfTheDebuggerNameNoThreadAfterTheProgram) {
  auto core = opened(with_files().process_before_threads().notes_at_the_end());
  EXPECT_EQ(core->threads(ThreadWish::stacks)->front().name, "");
  EXPECT_THAT(core->info().losses, IsEmpty());
}

TEST_F(ElfCores, KnowTheModulesWithTheirZerosBehind) {
  auto core = opened(with_files());
  ASSERT_EQ(core->modules().size(), 1u);
  const TargetModule& module = core->modules().front();
  EXPECT_EQ(module.module, (Module{path_, "12345678"}));
  EXPECT_EQ(module.opened_path, path_);
  EXPECT_EQ(module.missing, "");
  EXPECT_EQ(module.start, base);
  EXPECT_EQ(module.end, base + 4 * page);
  EXPECT_EQ(module.bias, base);
  EXPECT_EQ(core->module_at(base + 3 * page + 8), &module);
}

TEST_F(ElfCores, AreCompletedByTheFilesThatWereMapped) {
  auto core = opened(with_files());
  EXPECT_EQ(byte_at(*core, base + page), 'c');            // code: from the file
  EXPECT_EQ(byte_at(*core, base + 2 * page + 100), 'w');  // data: as it was written
  EXPECT_EQ(byte_at(*core, base + 4 * page), '\0');
}

TEST_F(ElfCores, DoNotTakeAFileOfAnotherBuild) {
  place(path_, MappedElf{.build_id = "\x99\x88", .fill = 'X'}.file());
  auto core = opened(with_files());
  const TargetModule& module = core->modules().front();
  EXPECT_EQ(module.opened_path, "");
  EXPECT_THAT(module.missing, HasSubstr("build id 12345678: " + path_ + " is another build (9988); not at "));
  EXPECT_THAT(module.missing, HasSubstr("/usr/lib/debug/.build-id/12/345678"));
  EXPECT_EQ(byte_at(*core, base + page), '\0');
  EXPECT_THAT(losses(*core), ElementsAre(LossKind::modules_missing));
}

TEST_F(ElfCores, TakeFilesWithoutBuildIdByTheirHeaders) {
  program_.build_id.clear();
  place(path_, program_.file());
  auto same = opened(with_files());
  EXPECT_THAT(same->info().losses, IsEmpty());
  EXPECT_EQ(byte_at(*same, base + page), 'c');
  place(path_, MappedElf{.note_at = 0x500}.file());
  auto other = opened(with_files());
  EXPECT_THAT(other->modules().front().missing,
              HasSubstr("no build id: " + path_ + " is another build (its headers differ)"));
}

TEST_F(ElfCores, LookBesideTheCore) {
  std::filesystem::remove(path_);
  place(folder_ + "/cores/program", program_.file());
  auto core = opened(with_files());
  EXPECT_EQ(core->modules().front().opened_path, folder_ + "/cores/program");
  EXPECT_EQ(core->modules().front().module.path, path_);
  EXPECT_EQ(byte_at(*core, base + page), 'c');
}

TEST_F(ElfCores, LookWhereTheUserSaysThatTheProgramIs) {
  std::filesystem::remove(path_);
  place(folder_ + "/elsewhere/renamed", program_.file());
  auto core = opened(with_files(), folder_ + "/elsewhere/renamed");
  EXPECT_EQ(core->modules().front().opened_path, folder_ + "/elsewhere/renamed");
  auto without = opened(with_files());
  EXPECT_THAT(without->modules().front().missing, HasSubstr("not at " + path_ + ", " + folder_ + "/cores/program"));
}

TEST_F(ElfCores, SayWhenNothingProvesThatAFileIsTheRightOne) {
  CoreBuilder core;
  core.thread({.tid = 1})
      .memory(base, page, "", 4)
      .memory(base + page, page, "", 5)
      .memory(stack, page, std::string(page, 's'));
  auto target = opened(add_files(core, base, path_));
  EXPECT_THAT(losses(*target), ElementsAre(LossKind::modules_unproven));
  EXPECT_EQ(byte_at(*target, base + page), 'c');
}

TEST_F(ElfCores, WithoutWrittenMemoryTakeCodeAloneFromFiles) {
  CoreBuilder core;
  core.thread({.tid = 1}).memory(base, page, program_.page_of(0), 4);
  core.memory(base + page, page, "", 5).memory(base + 2 * page, page, "", 6).memory(stack, page, "");
  auto target = opened(add_files(core, base, path_));
  EXPECT_EQ(byte_at(*target, base + page), 'c');
  EXPECT_EQ(byte_at(*target, base + 2 * page + 100), '\0');
}

TEST_F(ElfCores, DoNotTakeAFileThatWasOnlyReadForAModule) {
  CoreBuilder core = with_files();
  core.memory(library, 3 * page, program_.page_of(0), 4).file(library, library + 3 * page, 0, folder_ + "/read");
  auto target = opened(core);
  EXPECT_EQ(target->modules().size(), 1u);
  EXPECT_THAT(target->info().losses, IsEmpty());
}

TEST_F(ElfCores, KnowThatAFileWasDeleted) {
  std::filesystem::remove(path_);
  CoreBuilder core = usual();
  auto target = opened(add_files(core, base, path_ + " (deleted)"));
  EXPECT_EQ(target->modules().front().module.path, path_);
  EXPECT_TRUE(target->mappings().front().is_deleted);
}

TEST_F(ElfCores, WithoutTheListOfFilesFindThemByTheLoadersList) {
  constexpr uint64_t heap = 0x600000000000;
  std::string library_path = folder_ + "/libone.so";
  MappedElf loaded{.build_id = "\x77\x77\x77", .fill = 'l'};
  place(library_path, loaded.file());
  program_.debug = heap;
  std::string list = testing::ByteWriter()
                         .u64(1)
                         .u64(heap + 64)
                         .bytes(std::string(48, '\0'))  // r_debug
                         .u64(base)
                         .u64(heap + 300)
                         .u64(base + 2 * page)
                         .u64(heap + 128)
                         .bytes(std::string(32, '\0'))
                         .u64(library)
                         .u64(heap + 304)
                         .u64(library + 2 * page)
                         .u64(heap + 64)  // a ring
                         .text();
  list.resize(304, '\0');
  list += library_path + '\0';
  CoreBuilder core = usual();
  core.memory(heap, page, list, 6);
  auto target = opened(add_module(core, library, loaded));
  ASSERT_EQ(target->modules().size(), 2u);
  EXPECT_EQ(target->modules()[0].module, (Module{path_, "12345678"}));
  EXPECT_EQ(target->modules()[1].module, (Module{library_path, "777777"}));
  EXPECT_EQ(byte_at(*target, base + page), 'c');
  EXPECT_EQ(byte_at(*target, library + page), 'l');
  EXPECT_EQ(target->info().executable, path_);
  EXPECT_THAT(target->info().losses, IsEmpty());
}

TEST_F(ElfCores, ListMappingsWithTheirFilesAndTheStack) {
  auto core = opened(with_files());
  std::vector<std::string> seen;
  for (const TargetMapping& mapping : core->mappings())
    seen.push_back(std::string(mapping.is_readable ? "r" : "-") + (mapping.is_writable ? "w" : "-") +
                   (mapping.is_executable ? "x " : "- ") + mapping.path);
  EXPECT_THAT(seen, ElementsAre("r-- " + path_, "r-x " + path_, "rw- " + path_, "rw- ", "rw- [stack]"));
}

TEST_F(ElfCores, WithMappingsOnTopOfEachOtherKeepThemApart) {
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

TEST_F(ElfCores, MayHaveThousandsOfThreads) {
  CoreBuilder builder = with_files();
  for (uint32_t tid = 100; tid < 5100; ++tid) builder.thread({.tid = tid, .ip = base + page, .sp = stack});
  builder.thread({.tid = 100});
  auto core = opened(builder);
  EXPECT_EQ(core->threads(ThreadWish::stacks)->size(), 5003u);
  EXPECT_THAT(losses(*core), ElementsAre(LossKind::threads_missing));  // the tid that came twice
}

TEST_F(ElfCores, CutOffAnywhereGiveWhatIsThere) {
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

TEST_F(ElfCores, WithFlippedBitsDoNoHarm) {
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

TEST_F(ElfCores, ThatAreNoneAreRefusedInOneSentence) {
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

TEST_F(ElfCores, OfOtherProcessorsSayWhoseTheyAre) {
  EXPECT_EQ(
      sentence(from_bytes(with_files().machine(183).finish())),
      "some.core is the core of a 64-bit aarch64 program (main-thread, pid 40, ended by SIGSEGV); only those of x86-64 "
      "programs can be asked here, gdb-multiarch reads the others");
}

TEST_F(ElfCores, Of32BitProgramsSayWhoseTheyAre) {
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
