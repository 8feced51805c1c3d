#include "target/elf_core.h"

#include "elf_cores.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  std::filesystem::current_path(folder_ + "/elsewhere");
  auto relative = opened(with_files(), "renamed");
  EXPECT_EQ(relative->modules().front().opened_path, folder_ + "/elsewhere/renamed");
  std::filesystem::current_path("/");
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

TEST_F(ElfCores, MayHaveThousandsOfThreads) {
  CoreBuilder builder = with_files();
  for (uint32_t tid = 100; tid < 5100; ++tid) builder.thread({.tid = tid, .ip = base + page, .sp = stack});
  builder.thread({.tid = 100});
  auto core = opened(builder);
  EXPECT_EQ(core->threads(ThreadWish::stacks)->size(), 5003u);
  EXPECT_THAT(losses(*core), ElementsAre(LossKind::threads_missing));  // the tid that came twice
}

}  // namespace
}  // namespace culprit
