// Where symbols come from when the module does not have them all itself, and what is said when they are nowhere.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "symbols/compiled_program.h"
#include "symbols/symbolizer.h"

namespace culprit {
namespace {

using test::CompiledProgram;
using test::line_of;
using testing::HasSubstr;

constexpr const char* with_debug_info = "g++ -O2 -g -Wl,--build-id program.cc -o program";
constexpr const char* without_build_id = "g++ -O2 -g -Wl,--build-id=none program.cc -o program";
constexpr const char* split_off = "objcopy --only-keep-debug program debug && objcopy --strip-all program";

SymbolOptions only_in(const std::filesystem::path& debug_directory) {
  return {.debug_directories = {debug_directory.string()}, .debuginfod = false};
}

// Where the debug info of a module was found: the line of the call in main.
uint32_t line_in_main(Symbolizer& symbolizer, const Module& module, const CompiledProgram& program) {
  SymbolizedFrame frame = symbolizer.symbolize(module, program.address("main"));
  return frame.frames.empty() ? 0 : frame.frames.back().line;
}

struct Place {
  const char* name;
  const char* commands;  // leave the file "debug" linked from "program"
};
void PrintTo(const Place& place, std::ostream* out) { *out << place.name; }
class DebugLinkPlace : public testing::TestWithParam<Place> {};

TEST_P(DebugLinkPlace, IsFound) {
  CompiledProgram program(without_build_id);
  program.shell(std::string(split_off) + " && objcopy --add-gnu-debuglink=debug program && " + GetParam().commands);
  Symbolizer symbolizer(only_in(program.directory() / "global"));
  EXPECT_EQ(line_in_main(symbolizer, program.module(), program), line_of("in main"));
  EXPECT_THAT(symbolizer.used_for(program.module()).debug_file, testing::EndsWith("/debug"));
}

INSTANTIATE_TEST_SUITE_P(SymbolStore, DebugLinkPlace,
                         testing::Values(Place{"beside", "true"}, Place{"hidden", "mkdir .debug && mv debug .debug"},
                                         Place{"global", "mkdir -p \"global$PWD\" && mv debug \"global$PWD\""}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SymbolStore, RefusesALinkedFileWhoseChecksumDiffers) {
  CompiledProgram program(without_build_id);
  program.shell(std::string(split_off) + " && objcopy --add-gnu-debuglink=debug program && echo >> debug");
  Symbolizer symbolizer(only_in(program.directory()));
  EXPECT_EQ(line_in_main(symbolizer, program.module(), program), 0u);
  ModuleSymbols used = symbolizer.used_for(program.module());
  EXPECT_EQ(used.debug_file, "");
  EXPECT_THAT(used.note, HasSubstr("debug is of another build"));
}

// Strips the program and puts its debug info where debug packages put it.
void install_by_build_id(const CompiledProgram& program) {
  std::string id = program.build_id();
  ASSERT_GT(id.size(), 2u);
  std::string folder = "packages/.build-id/" + id.substr(0, 2);
  program.shell(std::string(split_off) + " && mkdir -p " + folder + " && mv debug " + folder + "/" + id.substr(2) +
                ".debug");
}

TEST(SymbolStore, FindsDebugInfoByBuildId) {
  CompiledProgram program(with_debug_info);
  install_by_build_id(program);
  Symbolizer symbolizer(only_in(program.directory() / "packages"));
  Module module = program.module(program.build_id());
  EXPECT_EQ(line_in_main(symbolizer, module, program), line_of("in main"));
  EXPECT_EQ(symbolizer.used_for(module).file, module.path);
}

TEST(SymbolStore, FindsDebugInfoOfAProgramThatIsGone) {
  CompiledProgram program(with_debug_info);
  Module module = program.module(program.build_id());
  install_by_build_id(program);
  program.shell("rm program");
  Symbolizer symbolizer(only_in(program.directory() / "packages"));
  EXPECT_EQ(line_in_main(symbolizer, module, program), line_of("in main"));
}

TEST(SymbolStore, LooksBelowAnotherRoot) {
  CompiledProgram program(with_debug_info);
  Module module = program.module();
  program.shell("mkdir -p \"root$PWD\" && mv program \"root$PWD\"");
  Symbolizer symbolizer({.sysroot = program.directory() / "root", .debuginfod = false});
  EXPECT_EQ(line_in_main(symbolizer, module, program), line_of("in main"));
}

// As in a container: its path is one of its own file system, and so is that of its debug file.
TEST(SymbolStore, DebugFilesLieInTheFileSystemThatTheModuleWasOpenedIn) {
  CompiledProgram program(without_build_id);
  program.shell(std::string(split_off) + " && objcopy --add-gnu-debuglink=debug program");
  program.shell("mkdir -p root/usr/bin root/packages/usr/bin");
  program.shell("mv program root/usr/bin && mv debug root/packages/usr/bin");
  std::string root = program.directory() / "root";
  Module module{.path = "/usr/bin/program", .build_id = "", .opened_path = root + "/usr/bin/program"};
  Symbolizer symbolizer(only_in("/packages"));
  EXPECT_EQ(line_in_main(symbolizer, module, program), line_of("in main"));
  EXPECT_EQ(symbolizer.used_for(module).debug_file, root + "/packages/usr/bin/debug");
}

TEST(SymbolStore, UsesNoFileOfAnotherBuild) {
  CompiledProgram program(with_debug_info);
  Module module = program.module("00112233445566778899aabbccddeeff00112233");
  Symbolizer symbolizer(only_in("/nonexistent"));
  EXPECT_EQ(symbolizer.symbolize(module, program.address("main")), SymbolizedFrame{});
  ModuleSymbols used = symbolizer.used_for(module);
  EXPECT_EQ(used.file, "");
  EXPECT_THAT(used.note, HasSubstr("another build"));
  EXPECT_THAT(used.note, HasSubstr(program.build_id()));
}

TEST(SymbolStore, SaysThatAFileIsGone) {
  Symbolizer symbolizer(only_in("/nonexistent"));
  for (const char* path : {"/nonexistent/program", "/tmp/program (deleted)", "[heap]", "program", ""}) {
    Module module{.path = path};
    EXPECT_EQ(symbolizer.symbolize(module, 0x1000), SymbolizedFrame{}) << path;
    EXPECT_THAT(symbolizer.used_for(module).note, HasSubstr("no symbols")) << path;
  }
}

TEST(SymbolStore, DoesNotWaitForFilesThatAreNone) {
  test::TemporaryDirectory directory;
  std::string fifo = directory.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Symbolizer symbolizer(only_in(directory.path()));
  for (const std::string& path : {fifo, std::string("/dev/zero"), directory.path().string()}) {
    Module module{.path = path};
    EXPECT_EQ(symbolizer.symbolize(module, 0x1000), SymbolizedFrame{}) << path;
    EXPECT_NE(symbolizer.used_for(module).note, "") << path;
  }
}

TEST(SymbolStore, AsksDebuginfodServersOnlyWhenTheUserNamesThem) {
  CompiledProgram program(with_debug_info);
  Module module = program.module(program.build_id());
  std::string served = "served/buildid/" + program.build_id();
  program.shell(std::string(split_off) + " && mkdir -p " + served + " && mv debug " + served +
                "/debuginfo && mv program " + served + "/executable");

  ::unsetenv("DEBUGINFOD_URLS");
  Symbolizer without({.debug_directories = {}});
  EXPECT_EQ(line_in_main(without, module, program), 0u);

  ::setenv("DEBUGINFOD_URLS", ("file://" + (program.directory() / "served").string()).c_str(), 1);
  ::setenv("DEBUGINFOD_CACHE_PATH", (program.directory() / "cache").c_str(), 1);
  Symbolizer with({.debug_directories = {}});
  EXPECT_EQ(line_in_main(with, module, program), line_of("in main"));
  EXPECT_THAT(with.used_for(module).debug_file, HasSubstr("/cache/"));

  Module unknown{.path = "/nonexistent", .build_id = "00112233445566778899aabbccddeeff00112233"};
  EXPECT_THAT(with.used_for(unknown).note, HasSubstr("servers do not have it"));
  Symbolizer forbidden({.debug_directories = {}, .debuginfod = false});
  EXPECT_EQ(line_in_main(forbidden, module, program), 0u);
  ::unsetenv("DEBUGINFOD_URLS");
  ::unsetenv("DEBUGINFOD_CACHE_PATH");
}

TEST(SymbolStore, NamesFunctionsOfTheVdso) {
  void* vdso = ::dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (vdso == nullptr) GTEST_SKIP() << "no vdso here";
  void* function = ::dlsym(vdso, "__vdso_gettimeofday");
  ASSERT_NE(function, nullptr);
  uint64_t offset = reinterpret_cast<uint64_t>(function) - ::getauxval(AT_SYSINFO_EHDR);
  Symbolizer symbolizer(only_in("/nonexistent"));
  SymbolizedFrame frame = symbolizer.symbolize({.path = "[vdso]"}, offset + 4);
  ASSERT_EQ(frame.frames.size(), 1u);
  EXPECT_THAT(frame.frames[0].function, HasSubstr("gettimeofday"));
  EXPECT_EQ(frame.offset_in_symbol, 4u);

  Module foreign{.path = "[vdso]", .build_id = "00112233445566778899aabbccddeeff00112233"};
  EXPECT_EQ(symbolizer.symbolize(foreign, offset + 4), SymbolizedFrame{});
}

}  // namespace
}  // namespace culprit
