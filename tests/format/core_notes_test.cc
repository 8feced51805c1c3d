#include "format/core_notes.h"

#include <gmock/gmock.h>

#include "format/core_outline.h"
#include "support/core_builder.h"

namespace culprit {
namespace {

using testing::CoreBuilder;

CoreNotes parsed(const std::string& bytes) {
  CoreNotes notes;
  add_core_notes(as_bytes(bytes), 4, notes);
  return notes;
}

CoreBuilder sample() {
  return CoreBuilder()
      .thread({.tid = 70,
               .ip = 0x401000,
               .sp = 0x7ffe0000,
               .signal = 11,
               .signal_info = CoreBuilder::signal_info(11, 1, 0x1234)})
      .thread(
          {.tid = 71, .ip = 0x402000, .sp = 0x7f0000, .signal = 11, .call = 202, .result = -512, .argument = 0x9000})
      .process(70, "worker", "./worker --fast  ")
      .auxiliary(3, 0x400040)
      .auxiliary(33, 0x7ffff000)
      .file(0x400000, 0x401000, 0, "/bin/worker")
      .file(0x401000, 0x405000, 1, "/bin/worker");
}

TEST(CoreNotes, HaveThreadsWithTheirRegisters) {
  std::string bytes = sample().all_notes();
  CoreNotes notes = parsed(bytes);
  ASSERT_EQ(notes.threads.size(), 2u);
  EXPECT_EQ(notes.threads[0].tid, 70u);
  EXPECT_EQ(notes.threads[0].signal, 11);
  EXPECT_EQ(notes.threads[0].registers.rip, 0x401000u);
  EXPECT_EQ(notes.threads[0].registers.rsp, 0x7ffe0000u);
  EXPECT_EQ(notes.threads[0].registers.rbp, 4u);
  EXPECT_EQ(notes.threads[0].registers.fs_base, 0x7f0000001000u);
  EXPECT_TRUE(notes.threads[0].has_floating_point);
  EXPECT_EQ(notes.threads[1].registers.orig_rax, 202u);
  EXPECT_EQ(static_cast<int64_t>(notes.threads[1].registers.rax), -512);
  EXPECT_EQ(notes.threads[1].registers.rdi, 0x9000u);
  EXPECT_EQ(notes.damaged, 0u);
}

TEST(CoreNotes, HaveTheProcessAndWhatItWasStartedWith) {
  std::string bytes = sample().all_notes();
  CoreNotes notes = parsed(bytes);
  ASSERT_TRUE(notes.process);
  EXPECT_EQ(notes.process->pid, 70u);
  EXPECT_EQ(notes.process->uid, 1000u);
  EXPECT_EQ(notes.process->name, "worker");
  EXPECT_EQ(notes.process->arguments, "./worker --fast");
  EXPECT_FALSE(notes.process->arguments_are_cut);
  EXPECT_TRUE(notes.is_by_kernel);
  EXPECT_EQ(notes.auxiliary.program_headers, 0x400040u);
  EXPECT_EQ(notes.auxiliary.vdso, 0x7ffff000u);
}

TEST(CoreNotes, KnowTheDebuggersByTheOrder) {
  std::string bytes = sample().process_before_threads().all_notes();
  EXPECT_FALSE(parsed(bytes).is_by_kernel);
}

TEST(CoreNotes, SayWhenTheArgumentsMayGoOn) {
  std::string bytes = CoreBuilder().thread({}).process(1, "a", std::string(79, 'x')).all_notes();
  EXPECT_TRUE(parsed(bytes).process->arguments_are_cut);
}

TEST(CoreNotes, HaveMappedFilesWithOffsetsInBytes) {
  std::string bytes = sample().all_notes();
  CoreNotes notes = parsed(bytes);
  ASSERT_EQ(notes.files.size(), 2u);
  EXPECT_EQ(notes.files[1].start, 0x401000u);
  EXPECT_EQ(notes.files[1].end, 0x405000u);
  EXPECT_EQ(notes.files[1].offset, 0x1000u);
  EXPECT_EQ(notes.files[1].path, "/bin/worker");
}

std::optional<CoreSignal> signal_of(int32_t number, int32_t code, uint64_t value) {
  static std::string bytes;
  bytes = CoreBuilder().thread({.tid = 1, .signal_info = CoreBuilder::signal_info(number, code, value)}).all_notes();
  return parsed(bytes).threads.at(0).signal_info;
}

TEST(CoreSignal, HasTheAddressOfAFault) {
  EXPECT_EQ(signal_of(11, 1, 0x1234)->fault_address, 0x1234u);
  EXPECT_EQ(signal_of(7, 2, 0)->fault_address, 0u);
}

TEST(CoreSignal, HasNoAddressWhereTheProcessorTellsNone) {
  EXPECT_FALSE(signal_of(11, 0x80, 0)->fault_address);  // a general protection fault
  EXPECT_FALSE(signal_of(6, -6, 0x1234)->fault_address);
}

TEST(CoreSignal, HasTheSenderOfASignalThatWasSent) {
  auto signal = signal_of(6, -6, 77 | (uint64_t{1000} << 32));
  ASSERT_TRUE(signal->sender);
  EXPECT_EQ(signal->sender->pid, 77u);
  EXPECT_EQ(signal->sender->uid, 1000u);
  EXPECT_FALSE(signal_of(14, -2, 77)->sender);  // of a timer: other fields
}

std::string words(size_t count, uint64_t first) {
  testing::ByteWriter writer;
  for (size_t i = 0; i < count; ++i) writer.u64(first + i);
  return writer.text();
}

TEST(CoreNotes, HaveAllWordsOfTheVectorRegisters) {
  std::string bytes = CoreBuilder().thread({.tid = 1, .wide = words(104, 0x5000)}).thread({.tid = 2}).all_notes();
  CoreNotes notes = parsed(bytes);
  ASSERT_EQ(notes.threads[0].wide_registers.size(), 104u);
  EXPECT_EQ(notes.threads[0].wide_registers[103], 0x5000u + 103);
  EXPECT_EQ(notes.threads[1].wide_registers.size(), 64u) << "what NT_FPREGSET has";
}

TEST(CoreNotes, DoNotBelieveAnAreaOfVectorRegistersThatNoProcessorHas) {
  std::string bytes = CoreBuilder().thread({.tid = 1, .wide = words(100000, 0)}).all_notes();
  EXPECT_EQ(parsed(bytes).threads[0].wide_registers.size(), 8192u);
  bytes = testing::elf_note("LINUX", 0x202, words(104, 0));
  EXPECT_TRUE(parsed(bytes).threads.empty()) << "of no thread";
}

TEST(CoreNotes, CountNotesOfTheWrongSize) {
  std::string bytes = testing::elf_note("CORE", 1, std::string(100, '\0')) + sample().all_notes();
  CoreNotes notes = parsed(bytes);
  EXPECT_EQ(notes.threads.size(), 2u);
  EXPECT_EQ(notes.damaged, 1u);
}

TEST(CoreNotes, DoNotBelieveTheCountOfMappedFiles) {
  std::string table = testing::ByteWriter().u64(uint64_t{1} << 60).u64(4096).u64(0).u64(1).u64(0).bytes("x").text();
  std::string bytes = testing::elf_note("CORE", 0x46494c45, table);
  CoreNotes notes = parsed(bytes);
  EXPECT_TRUE(notes.files.empty());
  EXPECT_EQ(notes.damaged, 1u);
}

TEST(CoreNotes, KeepTheMappedFilesWhosePathsAreThere) {
  std::string table = testing::ByteWriter()
                          .u64(2)
                          .u64(4096)
                          .u64(0x1000)
                          .u64(0x2000)
                          .u64(0)
                          .u64(0x2000)
                          .u64(0x3000)
                          .u64(1)
                          .c_string("/a")
                          .text();
  std::string bytes = testing::elf_note("CORE", 0x46494c45, table);
  CoreNotes notes = parsed(bytes);
  ASSERT_EQ(notes.files.size(), 1u);
  EXPECT_EQ(notes.files[0].path, "/a");
  EXPECT_EQ(notes.damaged, 1u);
}

TEST(CoreNotes, AreReadUpToAnyCutWithoutHarm) {
  std::string whole = sample().all_notes();
  size_t threads = 0;
  for (size_t size = 0; size <= whole.size(); ++size) {
    std::string bytes = whole.substr(0, size);
    size_t found = parsed(bytes).threads.size();
    EXPECT_GE(found, threads);
    threads = found;
  }
  EXPECT_EQ(threads, 2u);
}

TEST(CoreOutline, TellsWhoLeftACoreOfAnotherProcessor) {
  std::string bytes = sample().machine(183).finish();
  auto outline = outline_core(as_bytes(bytes));
  ASSERT_TRUE(outline);
  EXPECT_TRUE(outline->is_core);
  EXPECT_TRUE(outline->is_64_bit);
  EXPECT_EQ(outline->architecture, "aarch64");
  EXPECT_EQ(outline->name, "worker");
  EXPECT_EQ(outline->pid, 70u);
  EXPECT_EQ(outline->signal, 11);
}

}  // namespace
}  // namespace culprit
