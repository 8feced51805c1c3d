#include <fmt/format.h>

#include "analysis/memory_piece.h"
#include "base/text.h"
#include "view/answer_text.h"
#include "view/heap_text.h"
#include "view/memory_text.h"

namespace culprit {

namespace {

class BlockText {
 public:
  BlockText(const HeapReport& report, const TextStyle& style) : report_(report), block_(*report.block), style_(style) {}

  std::string print() {
    const uint64_t address = report_.question.address;
    if (!block_.place) {
      line(fmt::format("{:#x} is not in the heap: {}", address, printable(block_.where)), 0);
      return text_ + "\n";
    }
    if (!block_.place->block) {
      line(block_.where.empty() ? fmt::format("{:#x} is in the heap, but in no block that is known", address)
                                : fmt::format("{:#x} is {}", address, printable(block_.where)),
           0);
    } else {
      print_block(*block_.place->block);
    }
    if (block_.place->before) line("before it " + block_words(*block_.place->before), 2);
    if (block_.place->after) line("behind it " + block_words(*block_.place->after), 2);
    if (!block_.first.empty()) print_content();
    print_pointers();
    return text_ + "\n";
  }

 private:
  void line(std::string_view words, size_t indent) { text_ += line_text(style_, words, indent); }

  void print_block(const HeapBlock& block) {
    std::string words = fmt::format("{:#x} is ", report_.question.address);
    const int64_t offset = block_.place->offset;
    if (offset < 0)
      words += "in the header before a block";
    else
      words += offset == 0 ? "the beginning of a block"
                           : fmt::format("{} bytes into a block", with_thousands(static_cast<uint64_t>(offset)));
    line(words +
             fmt::format(" of {}", block.is_mmapped ? "its own mapping" : "arena " + arena_words(report_, block.arena)),
         0);
    line(inked(style_, Ink::strong, block_words(block)), 2);
    if (!block_.type.empty()) line("an object of class " + inked(style_, Ink::name, printable(block_.type)), 2);
  }

  void print_content() {
    MemoryPiece piece{block_.place->block->address, block_.first, std::vector<bool>(block_.first.size(), true)};
    line("it begins with", 2);
    text_ += memory_text(piece, DumpForm::bytes, {});
  }

  void print_pointers() {
    if (!block_.place->block || !block_.place->block->is_in_use()) return;
    if (block_.pointers.empty()) line("nothing points to it: no memory, no register", 2);
    for (const PointerToBlock& pointer : block_.pointers)
      line(fmt::format("{} points to it{}: {}", pointer.at == 0 ? "a register" : fmt::format("{:#x}", pointer.at),
                       pointer.offset == 0
                           ? ""
                           : fmt::format(", {} bytes into it", with_thousands(static_cast<uint64_t>(pointer.offset))),
                       printable(pointer.where)),
           2);
    if (block_.pointers_left_out != 0)
      line(fmt::format("and {} more pointers", with_thousands(block_.pointers_left_out)), 2);
  }

  const HeapReport& report_;
  const HeapBlockReport& block_;
  const TextStyle& style_;
  std::string text_;
};

}  // namespace

std::string heap_block_text(const HeapReport& report, const HeapTextOptions& options) {
  return BlockText(report, options.style).print();
}

}  // namespace culprit
