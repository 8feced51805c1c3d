// Every kind of debug info that compilers here make gives the same answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "symbols/compiled_program.h"
#include "symbols/symbolizer.h"

namespace culprit {
namespace {

using test::CompiledProgram;
using test::line_of;

struct Variant {
  const char* name;
  const char* commands;
};

void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

class DebugInfo : public testing::TestWithParam<Variant> {};

TEST_P(DebugInfo, GivesFunctionFileLineAndInlinedChain) {
  CompiledProgram program(GetParam().commands);
  Symbolizer symbolizer;
  Module module = program.module();

  SymbolizedFrame inner = symbolizer.symbolize(module, program.address("inner"));
  EXPECT_EQ(inner.quality, SymbolQuality::debug_info);
  ASSERT_EQ(inner.frames.size(), 2u);
  // GCC notes no parameters for inlined static functions.
  EXPECT_THAT(inner.frames[0].function, testing::StartsWith("(anonymous namespace)::Opener::inner"));
  EXPECT_EQ(inner.frames[0].file, program.source());
  EXPECT_EQ(inner.frames[0].line, line_of("in inner"));
  EXPECT_TRUE(inner.frames[0].inlined);
  EXPECT_EQ(inner.frames[1], (SourceFrame{.function = "(anonymous namespace)::helper(int)",
                                          .file = program.source(),
                                          .line = line_of("in helper"),
                                          .inlined = false}));

  SymbolizedFrame fun4 = symbolizer.symbolize(module, program.address("fun4"));
  ASSERT_EQ(fun4.frames.size(), 1u);
  EXPECT_EQ(fun4.frames[0], (SourceFrame{.function = "void app::fun4<int>(int)",
                                         .file = program.source(),
                                         .line = line_of("in fun4"),
                                         .inlined = false}));
  EXPECT_EQ(fun4.offset_in_symbol, program.address("fun4") - program.address("start"));

  SymbolizedFrame main_frame = symbolizer.symbolize(module, program.address("main"));
  ASSERT_EQ(main_frame.frames.size(), 1u);
  EXPECT_EQ(main_frame.frames[0].function, "main");
  EXPECT_EQ(main_frame.frames[0].line, line_of("in main"));

  ModuleSymbols used = symbolizer.used_for(module);
  EXPECT_EQ(used.file, module.path);
  EXPECT_EQ(used.debug_file, module.path);
  EXPECT_EQ(used.best, SymbolQuality::debug_info);
  EXPECT_EQ(used.note, "");
}

constexpr Variant variants[] = {
    {"gcc_dwarf4", "g++ -O2 -g -gdwarf-4 program.cc -o program"},
    {"gcc_dwarf5", "g++ -O2 -g -gdwarf-5 program.cc -o program"},
    {"gcc_no_pie", "g++ -O2 -g -fno-pie -no-pie program.cc -o program"},
    {"gcc_static", "g++ -O2 -g -fno-pie -static program.cc -o program"},
    {"gcc_compressed_zlib", "g++ -O2 -g -gz=zlib program.cc -o program"},
    {"gcc_split_dwarf4", "g++ -O2 -g -gdwarf-4 -gsplit-dwarf program.cc -o program"},
    {"gcc_split_dwarf5", "g++ -O2 -g -gdwarf-5 -gsplit-dwarf program.cc -o program"},
    {"gcc_package_dwarf4", "g++ -O2 -g -gdwarf-4 -gsplit-dwarf program.cc -o program && dwp -e program && rm *.dwo"},
    {"clang_dwarf4", "clang++-16 -O2 -g -gdwarf-4 program.cc -o program"},
    {"clang_dwarf5", "clang++-16 -O2 -g -gdwarf-5 program.cc -o program"},
    {"clang_compressed_zlib", "clang++-16 -O2 -g -gz=zlib program.cc -o program"},
    {"clang_compressed_zstd",
     "clang++-16 -O2 -g program.cc -o program && objcopy --compress-debug-sections=zstd program"},
    {"clang_split_dwarf4", "clang++-16 -O2 -g -gdwarf-4 -gsplit-dwarf program.cc -o program"},
    {"clang_split_dwarf5", "clang++-16 -O2 -g -gdwarf-5 -gsplit-dwarf program.cc -o program"},
    {"clang_package_dwarf5",
     "clang++-16 -O2 -g -gdwarf-5 -gsplit-dwarf program.cc -o program && llvm-dwp-16 -e program -o program.dwp && rm "
     "*.dwo"},
    {"split_files_moved_beside",
     "mkdir gone && (cd gone && g++ -O2 -g -gsplit-dwarf \"$OLDPWD/program.cc\" -o ../program) && "
     "mv gone/*.dwo . 2>/dev/null || ls *.dwo && rmdir gone"},
};
INSTANTIATE_TEST_SUITE_P(Symbolizer, DebugInfo, testing::ValuesIn(variants),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace culprit
