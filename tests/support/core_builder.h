// Builds ELF cores for tests as the kernel lays them out, and without the parser's structs: file header, program
// headers, notes, memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "support/byte_writer.h"
#include "support/elf_builder.h"

namespace culprit::testing {

class CoreBuilder {
 public:
  struct Thread {
    uint32_t tid = 0;
    uint64_t ip = 0, sp = 0;
    int16_t signal = 0;
    int64_t call = -1, result = 0;  // orig_rax and rax
    uint64_t argument = 0;          // rdi
    std::string signal_info = {};   // of NT_SIGINFO, 128 bytes; empty: none
    std::string wide = {};          // of NT_X86_XSTATE; empty: none
  };

  // siginfo_t with what is behind the first three ints and their padding.
  static std::string signal_info(int32_t number, int32_t code, uint64_t first_of_union) {
    std::string info = ByteWriter()
                           .u32(static_cast<uint32_t>(number))
                           .u32(0)
                           .u32(static_cast<uint32_t>(code))
                           .u32(0)
                           .u64(first_of_union)
                           .text();
    return info + std::string(128 - info.size(), '\0');
  }

  CoreBuilder& thread(Thread thread) { return threads_.push_back(std::move(thread)), *this; }
  CoreBuilder& process(uint32_t pid, std::string name, std::string arguments) {
    name.resize(16);
    arguments.resize(80);
    process_ = ByteWriter()
                   .u8(0)
                   .u8('R')
                   .u8(0)
                   .u8(0)
                   .u32(0)
                   .u64(0)
                   .u32(1000)
                   .u32(100)
                   .u32(pid)
                   .u32(1)
                   .u32(pid)
                   .u32(pid)
                   .bytes(name)
                   .bytes(arguments)
                   .text();
    return *this;
  }
  CoreBuilder& auxiliary(uint64_t type, uint64_t value) { return auxiliary_.u64(type).u64(value), *this; }
  CoreBuilder& file(uint64_t start, uint64_t end, uint64_t page_offset, std::string path) {
    files_.u64(start).u64(end).u64(page_offset);
    paths_ += path + '\0';
    ++file_count_;
    return *this;
  }
  // Memory that is stored as far as `content` goes, and mapped up to start + size.
  CoreBuilder& memory(uint64_t start, uint64_t size, std::string content, uint32_t flags = 6) {
    loads_.push_back({start, size, std::move(content), flags});
    return *this;
  }
  // Where gdb puts them.
  CoreBuilder& process_before_threads() { return is_process_first_ = true, *this; }
  CoreBuilder& notes_at_the_end() { return are_notes_last_ = true, *this; }
  CoreBuilder& machine(uint16_t value) { return machine_ = value, *this; }

  std::string finish() const {
    std::string notes = all_notes();
    uint64_t headers_end = header_size + segment_size * (loads_.size() + 1);
    uint64_t memory_size = 0;
    for (const Load& load : loads_) memory_size += load.content.size();
    uint64_t notes_at = are_notes_last_ ? headers_end + memory_size : headers_end;
    uint64_t at = are_notes_last_ ? headers_end : headers_end + notes.size();

    ByteWriter file;
    file.bytes("\177ELF").u8(2).u8(1).u8(1).bytes(std::string(9, '\0'));
    file.u16(4).u16(machine_).u32(1).u64(0).u64(header_size).u64(0).u32(0).u16(header_size).u16(segment_size);
    file.u16(loads_.size() + 1).u16(0).u16(0).u16(0);
    file.u32(4).u32(0).u64(notes_at).u64(0).u64(0).u64(notes.size()).u64(0).u64(4);
    for (const Load& load : loads_) {
      file.u32(1).u32(load.flags).u64(at).u64(load.start).u64(0).u64(load.content.size()).u64(load.size).u64(4096);
      at += load.content.size();
    }
    if (!are_notes_last_) file.bytes(notes);
    for (const Load& load : loads_) file.bytes(load.content);
    if (are_notes_last_) file.bytes(notes);
    return file.text();
  }

  std::string all_notes() const {
    std::string process = process_.empty() ? "" : elf_note("CORE", 3, process_);
    std::string rest;
    if (auxiliary_.size() != 0) rest += elf_note("CORE", 6, ByteWriter(auxiliary_).u64(0).u64(0).text());
    if (file_count_ != 0)
      rest += elf_note("CORE", 0x46494c45,
                       ByteWriter().u64(file_count_).u64(4096).bytes(files_.text()).bytes(paths_).text());
    std::string notes = is_process_first_ ? process : "";
    for (size_t i = 0; i < threads_.size(); ++i) {
      notes += elf_note("CORE", 1, status(threads_[i]));
      if (i == 0 && !is_process_first_) notes += process;
      if (!threads_[i].signal_info.empty()) notes += elf_note("CORE", 0x53494749, threads_[i].signal_info);
      if (i == 0) notes += rest;
      notes += elf_note("CORE", 2, std::string(512, '\0'));
      if (!threads_[i].wide.empty()) notes += elf_note("LINUX", 0x202, threads_[i].wide);
    }
    return threads_.empty() ? process + rest : notes;
  }

 private:
  static constexpr uint64_t header_size = 64, segment_size = 56;
  struct Load {
    uint64_t start, size;
    std::string content;
    uint32_t flags;
  };

  // Signal, masks, ids and times in 112 bytes; r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip
  // cs eflags rsp ss fs_base gs_base ds es fs gs; a flag.
  static std::string status(const Thread& thread) {
    ByteWriter status;
    status.u32(thread.signal)
        .u32(0)
        .u32(0)
        .u16(thread.signal)
        .u16(0)
        .u64(0)
        .u64(0)
        .u32(thread.tid)
        .u32(1)
        .u32(2)
        .u32(3);
    status.bytes(std::string(64, '\0'));
    for (int i = 0; i < 10; ++i) status.u64(i);
    status.u64(thread.result).u64(0).u64(0).u64(0).u64(thread.argument).u64(thread.call).u64(thread.ip).u64(0x33);
    status.u64(0x202).u64(thread.sp).u64(0x2b).u64(0x7f0000001000).u64(0);
    for (int i = 0; i < 4; ++i) status.u64(0);
    return status.u32(1).u32(0).text();
  }

  uint16_t machine_ = 62;
  std::vector<Thread> threads_;
  std::string process_, paths_;
  ByteWriter auxiliary_, files_;
  uint64_t file_count_ = 0;
  std::vector<Load> loads_;
  bool is_process_first_ = false, are_notes_last_ = false;
};

}  // namespace culprit::testing
