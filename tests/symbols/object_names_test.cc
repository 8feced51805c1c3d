// What a programmer calls a register, or what it points to, where debug info proves which variable it holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "symbols/compiled_program.h"

namespace culprit {

void PrintTo(const NamedObject& object, std::ostream* out) {
  *out << object.object << " by " << object.pointer << ", a " << object.pointer_type << ", from " << object.anchor;
}

namespace {

constexpr std::string_view source = R"(namespace shop {
struct Base { long key; };
struct Item { long price; int kind : 3, state : 5; char name[8]; };
struct Cart : Base { Item* first; Item items[2]; union { long count; double weight; }; long total; };
struct Shape { virtual ~Shape(); long sides; };
Shape::~Shape() {}
Cart* current;
}
extern "C" void add(shop::Cart* cart, const shop::Shape& shape, int* numbers, char** names, long count) {
  cart->total = shape.sides + *numbers + **names + count + shop::current->total;
}
)";
constexpr uint8_t rcx = 1, rdx = 2, rsi = 6, rdi = 7, r8 = 8, r9 = 9;
constexpr uint64_t bias = 0x10000, frame = 0x7000'0000;

class ObjectNames : public testing::Test {
 protected:
  // A library, which nobody runs.
  void compile(const std::string& compiler) {
    program_.shell("cat > cart.cc <<'END'\n" + std::string(source) + "END\n" + compiler +
                   " -g -fPIC -shared cart.cc -o program");
    add_ = address_of(" add$");
    current_ = address_of("current");
  }
  uint64_t address_of(const std::string& symbol) {
    return std::stoull("0" + program_.output_of("nm program | grep '" + symbol + "'"), nullptr, 16);
  }

  // What the register held when add() began.
  std::optional<NamedObject> held(uint8_t reg, std::vector<int64_t> offsets, bool is_indexed = false) {
    ObjectQuestion question{.pc = add_, .bias = bias, .reg = reg, .is_indexed = is_indexed};
    return ask(question, offsets);
  }
  std::optional<NamedObject> ask(ObjectQuestion question, const std::vector<int64_t>& offsets) {
    question.seen_from = question.pc;
    std::ranges::copy(offsets, question.offsets.begin());
    question.steps = static_cast<uint8_t>(offsets.size());
    return symbolizer_.object(program_.module(), question);
  }
  std::string name_held(uint8_t reg, const std::vector<int64_t>& offsets, bool is_indexed = false) {
    auto named = held(reg, offsets, is_indexed);
    return named ? named->object : "nothing";
  }

  test::CompiledProgram program_{"g++ program.cc -o program"};
  uint64_t add_ = 0, current_ = 0;
  Symbolizer symbolizer_{{.debug_directories = {}, .debuginfod = false}};
};

TEST_F(ObjectNames, AreOfTheMemberAtTheOffset) {
  compile("g++ -O2");
  EXPECT_EQ(held(rdi, {72}), (NamedObject{"cart->total", "cart", "cart", "shop::Cart*"}));
  EXPECT_EQ(name_held(rdi, {0}), "cart->key");
  EXPECT_EQ(name_held(rdi, {8}), "cart->first");
  EXPECT_EQ(name_held(rdi, {52}), "cart->items[1].name[3]");
  EXPECT_EQ(held(rsi, {8}), (NamedObject{"shape.sides", "shape", "shape", "const shop::Shape&"}));
  EXPECT_EQ(name_held(rdx, {0}), "*numbers");
  EXPECT_EQ(name_held(rdx, {8}), "numbers[2]");
  EXPECT_EQ(name_held(rdx, {-4}), "numbers[-1]");
  EXPECT_EQ(held(r8, {}), (NamedObject{"count", "count", "", ""}));
}

TEST_F(ObjectNames, LeadThroughPointers) {
  compile("g++ -O2");
  EXPECT_EQ(held(rdi, {8, 0}), (NamedObject{"cart->first->price", "cart", "cart->first", "shop::Item*"}));
  EXPECT_EQ(name_held(rcx, {8, 0}), "*names[1]");
  EXPECT_EQ(held(rdi, {72, 0}), std::nullopt);  // total is no pointer
}

// Where it has none, or several: bit fields and unions share bytes, and beyond its end lies what is derived from it.
TEST_F(ObjectNames, AreNotMadeUpWhereAnOffsetHasNoSingleName) {
  compile("g++ -O2");
  EXPECT_EQ(name_held(rdi, {24}), "cart->items[0]");
  for (int64_t offset : {64, 80, 1000, -8}) {
    EXPECT_EQ(held(rdi, {offset}), (NamedObject{"", "cart", "cart", "shop::Cart*"})) << offset;
  }
  EXPECT_EQ(name_held(rdi, {80 * 3 + 72}, true), "cart[3].total");  // an index was added
  EXPECT_EQ(held(r9, {0}), std::nullopt);
  EXPECT_EQ(held(r8, {0}), std::nullopt);  // count is no pointer
}

TEST_F(ObjectNames, KnowThePointerToVirtualFunctions) {
  compile("g++ -O2");
  auto named = held(rsi, {0});
  ASSERT_TRUE(named);
  EXPECT_TRUE(named->is_virtual_table);
  EXPECT_EQ(named->object, "shape");
}

TEST_F(ObjectNames, AreOfGlobalVariables) {
  compile("g++ -O2");
  ObjectQuestion question{.pc = add_, .bias = bias, .slot = current_ + bias};
  EXPECT_EQ(ask(question, {72}),
            (NamedObject{"shop::current->total", "shop::current", "shop::current", "shop::Cart*"}));
  question.slot += 8;
  EXPECT_EQ(ask(question, {72}), std::nullopt);
}

// Without optimisation parameters lie in the frame, which gcc counts from its outer end and clang from rbp.
TEST_F(ObjectNames, AreOfVariablesInTheFrame) {
  for (std::string compiler : {"g++ -O0", "clang++-16 -O0"}) {
    if (program_.output_of("command -v " + compiler.substr(0, compiler.find(' ')) + " || echo none") == "none\n")
      continue;
    SCOPED_TRACE(compiler);
    compile(compiler);
    symbolizer_ = Symbolizer({.debug_directories = {}, .debuginfod = false});
    std::map<std::string, int> found;
    for (uint64_t slot = frame - 256; slot < frame; slot += 8) {
      auto named = ask({.pc = add_ + 4, .bias = bias, .slot = slot, .frame = frame, .rbp = frame - 16}, {72});
      if (named) ++found[named->object];
    }
    EXPECT_EQ(found["cart->total"], 1);
  }
}

TEST_F(ObjectNames, AreNotAskedOfFilesWithoutDebugInfo) {
  compile("g++ -O2");
  program_.shell("strip -g program");
  EXPECT_EQ(held(rdi, {72}), std::nullopt);
}

}  // namespace
}  // namespace culprit
