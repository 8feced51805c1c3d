// Cores of a small program, in a folder of their own, for tests.
#pragma once

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "support/ask_target.h"
#include "support/core_builder.h"
#include "support/mapped_elf.h"
#include "target/elf_core.h"

namespace culprit {

using testing::CoreBuilder;
using testing::MappedElf;

inline constexpr uint64_t page = 4096, base = 0x555500000000, library = 0x7f0000000000, stack = 0x7ffe00000000;

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

}  // namespace culprit
