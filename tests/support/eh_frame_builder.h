// Builds .eh_frame sections for tests, with pc-relative 4-byte pointers as compilers write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/byte_writer.h"

namespace culprit::testing {

class EhFrameBuilder {
 public:
  explicit EhFrameBuilder(uint64_t address) : address_(address) {}

  // Code alignment 1, data alignment -8, return address in column 16; instructions: CFA = rsp + 8, return address at
  // CFA - 8.
  EhFrameBuilder& cie(std::string_view augmentation = "zR", std::string instructions = "\x0c\x07\x08\x90\x01",
                      uint8_t version = 1, std::string augmentation_data = "\x1b") {
    ByteWriter body;
    body.u32(0).u8(version).c_string(augmentation);
    if (version == 4) body.u8(8).u8(0);
    body.uleb(1).sleb(-8).uleb(16);
    if (augmentation.starts_with('z')) body.uleb(augmentation_data.size()).bytes(augmentation_data);
    cie_at_ = section_.size();
    has_augmentation_ = augmentation.starts_with('z');
    return entry(body.bytes(instructions));
  }
  EhFrameBuilder& fde(uint64_t start, uint64_t size, std::string_view instructions = {}) {
    ByteWriter body;
    body.u32(section_.size() + 4 - cie_at_);
    body.u32(start - (address_ + section_.size() + 8)).u32(size);
    if (has_augmentation_) body.u8(0);
    return entry(body.bytes(instructions));
  }
  EhFrameBuilder& terminator() { return section_.u32(0), *this; }
  std::string finish() const { return section_.text(); }

 private:
  EhFrameBuilder& entry(ByteWriter& body) {
    body.align(4);  // with DW_CFA_nop
    section_.u32(body.size()).bytes(body.text());
    return *this;
  }

  uint64_t address_;
  ByteWriter section_;
  size_t cie_at_ = 0;
  bool has_augmentation_ = false;
};

}  // namespace culprit::testing
