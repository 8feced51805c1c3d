// links: symbols format
// 10,000 distinct addresses of a debug build of some 60 MB, by a symbolizer that has not seen it before.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/mapping.h"
#include "format/elf.h"
#include "symbols/symbolizer.h"

namespace culprit {
namespace {

constexpr size_t addresses = 10000;

// Ordinary C++ with much inlining and many templates.
constexpr const char* unit = R"(
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
struct Key { std::string text; bool operator<(const Key& other) const { return text < other.text; } };
struct Value { std::map<Key, std::vector<Key>> inner; std::function<size_t(const Key&)> size; };
std::map<Key, Value> table;
size_t work(const std::string& text) {
  std::string dumped = nlohmann::json::parse(text).dump(2);
  table[Key{dumped}].inner[Key{text}].push_back(Key{"x"});
  table[Key{text}].size = [dumped](const Key& key) { return key.text.size() + dumped.size(); };
  std::smatch match;
  return table.size() + std::regex_search(dumped, match, std::regex("a(b|c)*d+[[:alpha:]]"));
}
)";

// One unit compiled once; its copies get other names, so that the linker keeps the code and debug info of each.
constexpr const char* build = R"(
cd "$1" && c++ -std=c++17 -g -O1 -fPIC -c unit.cc -o unit.o &&
nm unit.o | awk '$NF !~ /__dso_handle/ && $(NF-1) != "U" { print $NF }' | sort -u > names &&
for i in $(seq 22); do
  sed "s/.*/& copy${i}_&/" names > renamed && objcopy --redefine-syms=renamed unit.o copy$i.o || exit 1
done && c++ -shared -o big.so copy*.o && rm -f *.o
)";

class BigBinary {
 public:
  BigBinary() {
    std::string name = std::filesystem::temp_directory_path() / "culprit-symbols-bench-XXXXXX";
    directory_ = ::mkdtemp(name.data()) != nullptr ? name : "";
    std::ofstream(directory_ / "unit.cc") << unit;
    std::ofstream(directory_ / "build.sh") << build;
    if (std::system(("sh " + (directory_ / "build.sh").string() + " " + directory_.string()).c_str()) != 0)
      std::exit(2);
    module_.path = directory_ / "big.so";

    auto mapping = Mapping::of_file(module_.path);
    auto file = mapping ? parse_elf(mapping->bytes()) : tl::unexpected<Error>(mapping.error());
    const ElfSection* text = file ? file->section(".text") : nullptr;
    if (text == nullptr) std::exit(2);
    bytes_ = mapping->size();
    for (size_t i = 0; i < addresses; ++i) {
      requests_.push_back({.module = &module_, .offset = text->address + text->size * i / addresses});
    }
  }
  ~BigBinary() { std::filesystem::remove_all(directory_); }
  BigBinary(const BigBinary&) = delete;

  const std::vector<SymbolRequest>& requests() const { return requests_; }
  double megabytes() const { return static_cast<double>(bytes_) / 1e6; }

 private:
  std::filesystem::path directory_;
  Module module_;
  size_t bytes_ = 0;
  std::vector<SymbolRequest> requests_;
};

void ten_thousand_addresses(benchmark::State& state) {
  static BigBinary big;
  size_t with_lines = 0;
  for (auto _ : state) {
    Symbolizer symbolizer;
    auto frames = symbolizer.symbolize(big.requests());
    with_lines = 0;
    for (const SymbolizedFrame& frame : frames) with_lines += frame.quality == SymbolQuality::debug_info;
  }
  state.counters["binary_MB"] = big.megabytes();
  state.counters["with_lines"] = static_cast<double>(with_lines);
}
BENCHMARK(ten_thousand_addresses)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
