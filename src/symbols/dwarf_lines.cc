#include "symbols/dwarf_lines.h"

#include <llvm/DebugInfo/DWARF/DWARFCompileUnit.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugAranges.h>
#include <llvm/Object/ELFObjectFile.h>

#include <filesystem>
#include <unordered_map>

#include "base/mapping.h"
#include "base/regular_file.h"
#include "format/elf.h"
#include "symbols/compressed_sections.h"
#include "symbols/dwarf_names.h"
#include "symbols/dwarf_objects.h"

namespace culprit {
namespace {

using LineTable = llvm::DWARFDebugLine::LineTable;
using PathKind = llvm::DILineInfoSpecifier::FileLineInfoKind;

// LLVM tries FILE.dwp when it is given no name, without looking at what it opens; this one cannot exist.
constexpr const char* no_package = "/dev/null/none.dwp";

void ignore(llvm::Error error) { llvm::consumeError(std::move(error)); }

// LLVM opens .dwo and .dwp files by itself, and trusts them: it would wait for a FIFO and allocate what a compressed
// section claims.
bool is_safe_to_open(const std::string& path) {
  auto mapping = map_regular_file(path);
  if (!mapping) return false;
  auto file = parse_elf(mapping->bytes());
  return file && compressed_sections_are_sane(*file);
}

std::string first_safe(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (is_safe_to_open(path)) return path;
  }
  return {};
}

std::string text_of(const std::optional<llvm::DWARFFormValue>& value) { return llvm::dwarf::toString(value, ""); }

}  // namespace

struct DwarfLines::State {
  std::unique_ptr<llvm::object::ObjectFile> object;
  std::unique_ptr<llvm::DWARFContext> context;
  bool has_package = false;
  std::vector<std::string> split_directories;
  std::string missing_split_file;

  // Names and paths repeat for thousands of addresses; taking them out of the DWARF costs more than finding the
  // address.
  std::unordered_map<const llvm::DWARFDebugInfoEntry*, FunctionName> names;
  std::unordered_map<const LineTable*, std::unordered_map<uint64_t, std::string>> paths;
  std::unordered_map<const llvm::DWARFUnit*, bool> has_functions;  // false: a skeleton without its .dwo

  const FunctionName& name(const llvm::DWARFDie& function) {
    auto [at, is_new] = names.try_emplace(function.getDebugInfoEntry());
    if (is_new) at->second = name_of(function);
    return at->second;
  }

  const std::string& path(const LineTable* lines, uint64_t index, const char* directory) {
    auto [at, is_new] = paths[lines].try_emplace(index);
    if (is_new)
      lines->getFileNameByIndex(index, directory != nullptr ? directory : "", PathKind::AbsoluteFilePath, at->second);
    return at->second;
  }

  bool load_functions(llvm::DWARFCompileUnit& unit);
  llvm::DWARFCompileUnit* unit_at(uint64_t address);
  llvm::SmallVector<llvm::DWARFDie, 8> functions_at(llvm::DWARFCompileUnit& unit, uint64_t address);
};

// Not getCompileUnitForAddress: LLVM 16 then looks at every variable of the program for an address outside all code.
llvm::DWARFCompileUnit* DwarfLines::State::unit_at(uint64_t address) {
  return context->getCompileUnitForOffset(context->getDebugAranges()->findAddress(address));
}

// What is inlined at the address, innermost first, and the function it is in.
llvm::SmallVector<llvm::DWARFDie, 8> DwarfLines::State::functions_at(llvm::DWARFCompileUnit& unit, uint64_t address) {
  llvm::SmallVector<llvm::DWARFDie, 8> chain;
  // LLVM does not look whether a damaged unit has any entry at all.
  if (load_functions(unit) && unit.getNonSkeletonUnitDIE(false)) unit.getInlinedChainForAddress(address, chain);
  return chain;
}

// Makes the unit's functions known, whose entries may be in a .dwo file.
bool DwarfLines::State::load_functions(llvm::DWARFCompileUnit& unit) {
  auto [at, is_new] = has_functions.try_emplace(&unit, true);
  if (!is_new) return at->second;

  llvm::DWARFDie skeleton = unit.getUnitDIE();
  if (!skeleton) return true;
  std::string name = text_of(skeleton.find({llvm::dwarf::DW_AT_dwo_name, llvm::dwarf::DW_AT_GNU_dwo_name}));
  if (name.empty()) return true;  // not split

  std::string elsewhere;
  if (!has_package) {
    std::filesystem::path named = std::filesystem::path(text_of(skeleton.find(llvm::dwarf::DW_AT_comp_dir))) / name;
    std::error_code ignored;
    bool is_there = std::filesystem::exists(named, ignored);
    bool is_safe = is_there && is_safe_to_open(named);
    if (!is_there) {
      std::vector<std::string> candidates;
      for (const std::string& directory : split_directories) {
        candidates.push_back((std::filesystem::path(directory) / std::filesystem::path(name).filename()).string());
      }
      elsewhere = first_safe(candidates);
    }
    // LLVM opens the named file first whatever else it is offered, so a dangerous one there rules out all others.
    at->second = is_safe || !elsewhere.empty();
    if (!at->second) {
      if (missing_split_file.empty()) missing_split_file = named.string();
      return false;
    }
  }
  // Returns the skeleton's own entry when the file is of another build (its hash differs).
  at->second = unit.getNonSkeletonUnitDIE(true, elsewhere).getDwarfUnit() != &unit;
  if (!at->second && missing_split_file.empty()) missing_split_file = name;
  return at->second;
}

DwarfLines::DwarfLines(std::unique_ptr<State> state) : state_(std::move(state)) {}
DwarfLines::DwarfLines(DwarfLines&&) noexcept = default;
DwarfLines& DwarfLines::operator=(DwarfLines&&) noexcept = default;
DwarfLines::~DwarfLines() = default;

const std::string& DwarfLines::missing_split_file() const { return state_->missing_split_file; }

Result<DwarfLines> DwarfLines::open(Bytes file, const std::string& path, SplitDwarfPlaces places) {
  auto parsed = parse_elf(file);
  if (!parsed) return tl::unexpected<Error>(std::move(parsed).error());
  if (!compressed_sections_are_sane(*parsed)) {
    return fail(ErrorKind::corrupt, path + ": a compressed section claims an absurd size, its debug info is not read");
  }
  std::string_view text = as_text(file);
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef({text.data(), text.size()}, path));
  if (!object) return fail(ErrorKind::corrupt, path + ": " + llvm::toString(object.takeError()));

  auto state = std::make_unique<State>();
  std::string package = first_safe(places.packages);
  state->has_package = !package.empty();
  state->split_directories = std::move(places.directories);
  state->object = std::move(*object);
  // Linked files need no relocation of their debug info, and hostile ones could ask for much of it.
  state->context = llvm::DWARFContext::create(*state->object, llvm::DWARFContext::ProcessDebugRelocations::Ignore,
                                              nullptr, state->has_package ? package : no_package, ignore, ignore);
  return DwarfLines(std::move(state));
}

DwarfAnswer DwarfLines::lookup(uint64_t address) {
  DwarfAnswer answer;
  llvm::DWARFCompileUnit* unit = state_->unit_at(address);
  if (unit == nullptr) return answer;

  const LineTable* lines = nullptr;
  if (auto found = state_->context->getLineTableForUnit(unit, ignore)) {
    lines = *found;
  } else {
    ignore(found.takeError());
  }
  const char* directory = unit->getCompilationDir();

  SourceFrame frame;
  if (lines != nullptr) {
    uint32_t row = lines->lookupAddress({address, llvm::object::SectionedAddress::UndefSection});
    if (row < lines->Rows.size()) {
      frame.line = lines->Rows[row].Line;
      frame.file = state_->path(lines, lines->Rows[row].File, directory);
    }
  }

  llvm::SmallVector<llvm::DWARFDie, 8> chain = state_->functions_at(*unit, address);
  if (chain.empty()) {
    if (!frame.file.empty()) answer.frames.push_back(std::move(frame));
    return answer;
  }

  for (const llvm::DWARFDie& function : chain) {
    const FunctionName& name = state_->name(function);
    frame.function = name.text;
    frame.inlined = function.getTag() == llvm::dwarf::DW_TAG_inlined_subroutine;
    answer.has_linker_name = name.from_linker_name;
    answer.frames.push_back(std::move(frame));

    uint32_t file = 0, line = 0, column = 0, discriminator = 0;
    function.getCallerFrame(file, line, column, discriminator);
    frame = {};
    frame.line = line;
    if (lines != nullptr && line != 0) frame.file = state_->path(lines, file, directory);
  }
  if (auto start = llvm::dwarf::toAddress(chain.back().find(llvm::dwarf::DW_AT_low_pc))) answer.function_start = *start;
  return answer;
}

std::optional<NamedObject> DwarfLines::object(const ObjectQuestion& question) {
  llvm::DWARFCompileUnit* unit = state_->unit_at(question.pc);
  if (unit == nullptr) return {};
  llvm::SmallVector<llvm::DWARFDie, 8> functions = state_->functions_at(*unit, question.pc);
  if (functions.empty()) return {};
  return name_object(unit->getNonSkeletonUnitDIE(false), functions, question);
}

}  // namespace culprit
