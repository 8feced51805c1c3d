// A small program, compiled while the test runs, that tells its own addresses: what it prints does not come from any
// ELF or DWARF reader.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "model/module.h"
#include "symbols/symbolizer.h"

namespace culprit {

inline void PrintTo(const SourceFrame& frame, std::ostream* out) {
  *out << frame.function << " at " << frame.file << ":" << frame.line << (frame.inlined ? " (inlined)" : "");
}

}  // namespace culprit

namespace culprit::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "culprit-symbols-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path_ = std::filesystem::canonical(name);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

constexpr std::string_view program_source = R"(extern "C" int printf(const char*, ...);
extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
#ifdef __PIE__
#define MOVED_BY (unsigned long)__ehdr_start
#else
#define MOVED_BY 0ul
#endif
#define NO_TAIL_CALL asm volatile("")
__attribute__((noinline)) void report(const char* name) {
  printf("%s %lx\n", name, (unsigned long)__builtin_return_address(0) - MOVED_BY);
}
namespace {
struct Opener {
  static inline __attribute__((always_inline)) void inner() {
    report("inner");  // in inner
    NO_TAIL_CALL;
  }
};
__attribute__((noinline)) void helper(int) {
  Opener::inner();  // in helper
  NO_TAIL_CALL;
}
}  // namespace
namespace app {
template <typename T>
__attribute__((noinline)) void fun4(T value) {
  helper(value);
  report("fun4");  // in fun4
  NO_TAIL_CALL;
}
}  // namespace app
int main(int count, char**) {
  printf("start %lx\n", (unsigned long)&app::fun4<int> - MOVED_BY);
  app::fun4<int>(count);
  report("main");  // in main
}
)";

// The line of program_source that ends in that comment.
inline uint32_t line_of(std::string_view comment) {
  size_t at = program_source.find("// " + std::string(comment));
  if (at == std::string_view::npos) return 0;
  uint32_t line = 1;
  for (char c : program_source.substr(0, at)) line += c == '\n';
  return line;
}

class CompiledProgram {
 public:
  // Runs `commands` in the directory that holds program.cc; they must leave a "program" there, which is then run once.
  explicit CompiledProgram(const std::string& commands) {
    std::ofstream(directory() / "program.cc") << program_source;
    shell(commands);
    std::ifstream(directory() / "program").good() ? read_addresses() : ADD_FAILURE() << "no program: " << commands;
  }

  std::filesystem::path directory() const { return directory_.path(); }
  std::string source() const { return directory() / "program.cc"; }
  Module module(std::string build_id = {}) const {
    return {.path = directory() / "program", .build_id = std::move(build_id)};
  }

  // Return addresses within functions, and "start" of fun4, as the program counts them.
  uint64_t address(const std::string& name) const { return addresses_.count(name) != 0 ? addresses_.at(name) : 0; }

  void shell(const std::string& commands) const { output_of(commands); }

  std::string output_of(const std::string& commands) const {
    std::string output;
    FILE* pipe = ::popen(("cd '" + directory().string() + "' && { " + commands + "; } 2>&1").c_str(), "r");
    if (pipe == nullptr) return output;
    for (int c; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
    EXPECT_EQ(::pclose(pipe), 0) << commands << "\n" << output;
    return output;
  }

  std::string build_id() const {
    std::string id = output_of("readelf -n program | sed -n 's/.*Build ID: //p'");
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
  }

 private:
  void read_addresses() {
    std::string output = output_of("./program");
    char name[16];
    unsigned long value = 0;
    int length = 0;
    for (const char* at = output.c_str(); std::sscanf(at, "%15s %lx\n%n", name, &value, &length) == 2; at += length) {
      addresses_[name] = value;
    }
  }

  TemporaryDirectory directory_;
  std::map<std::string, uint64_t> addresses_;
};

}  // namespace culprit::test
