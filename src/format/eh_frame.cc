#include "format/eh_frame.h"

#include <algorithm>
#include <unordered_map>

#include "format/eh_pointer.h"

namespace culprit {

namespace {

constexpr uint32_t long_length = 0xffffffff;

EhFrameSection find_through_header(const ElfFile& elf) {
  const ElfSegment* segment = elf.segment(elf::segment_eh_frame_header);
  if (segment == nullptr) return {};
  ByteReader reader(elf.data_of(*segment));
  auto version = reader.take<uint8_t>();
  auto encoding = reader.take<uint8_t>();
  reader.skip(2);  // of the count and of the search table, which is not needed: all entries are read
  auto address = take_pointer(reader, encoding, {.section = segment->address, .data = segment->address});
  if (version != 1 || !address) return {};
  return {.data = elf.at_address(*address), .address = *address, .data_base = segment->address, .has_end = false};
}

class EntryReader {
 public:
  explicit EntryReader(const EhFrameSection& section) : section_(section), reader_(section.data) {}

  EhFrame read() {
    while (!reader_.at_end()) {
      uint64_t start = reader_.position();
      uint64_t length = reader_.take<uint32_t>();
      if (length == long_length) length = reader_.take<uint64_t>();
      if (length == 0 && reader_ && section_.has_end) continue;  // crtend.o's terminator may stand before other entries
      if (length == 0 && reader_) break;
      uint64_t body = reader_.position();
      reader_.skip(length);
      if (!reader_) {
        frame_.is_cut = true;
        break;
      }
      read_entry(start, body, section_.data.first(body + length));
    }
    return std::move(frame_);
  }

 private:
  void read_entry(uint64_t start, uint64_t body, Bytes up_to_end) {
    ByteReader entry(up_to_end, body);  // positions are those of the section, as the pc-relative encodings need
    uint64_t id_position = entry.position();
    auto id = entry.take<uint32_t>();  // 4 bytes even with a 64-bit length (unlike .debug_frame)
    if (!entry) {
      ++frame_.bad_entries;
    } else if (id == 0) {
      read_cie(start, entry);
    } else if (id > id_position || !read_fde(id_position - id, entry)) {
      ++frame_.bad_entries;
    }
  }

  void read_cie(uint64_t start, ByteReader& entry) {
    Cie cie{.offset = start};
    auto version = entry.take<uint8_t>();
    std::string_view augmentation = entry.take_c_string();
    if (version == 4) entry.skip(2);          // address and segment selector size
    if (augmentation == "eh") entry.skip(8);  // GCC before 3.0
    cie.code_alignment = entry.take_uleb128();
    cie.data_alignment = entry.take_sleb128();
    cie.return_address_register = version == 1 ? entry.take<uint8_t>() : entry.take_uleb128();
    bool is_known = version == 1 || version == 3 || version == 4;
    if (augmentation.starts_with('z'))
      is_known = read_augmentation(cie, augmentation.substr(1), entry) && is_known;
    else
      is_known = is_known && (augmentation.empty() || augmentation == "eh");
    uint64_t address = section_.address + entry.position();
    Bytes instructions = entry.take_bytes(entry.remaining());
    cie.is_usable = entry && is_known && run_initial_instructions(cie, instructions, address);
    if (!cie.is_usable) ++frame_.bad_entries;
    cie_at_.emplace(start, static_cast<uint32_t>(frame_.cies.size()));
    frame_.cies.push_back(cie);
  }

  // The letters after 'z'. Unknown ones do not matter where their data can be skipped, but their meaning might: not
  // usable.
  static bool read_augmentation(Cie& cie, std::string_view letters, ByteReader& entry) {
    cie.has_augmentation_data = true;
    uint64_t size = entry.take_uleb128();
    ByteReader data(entry.take_bytes(size));
    for (char letter : letters) {
      switch (letter) {
        case 'R':
          cie.pointer_encoding = data.take<uint8_t>();
          break;
        case 'L':
          cie.handlers_encoding = data.take<uint8_t>();
          break;
        case 'P': {  // the personality routine, of which only the size matters: an indirect or relative one is as large
          auto encoding = data.take<uint8_t>();
          if (encoding != 0xff) take_length(data, encoding);
          break;
        }
        case 'S':
          cie.is_signal_frame = true;
          break;
        case 'B':  // AArch64: pointer authentication with the B key
          break;
        default:
          return false;
      }
    }
    return bool{data};
  }

  bool read_fde(uint64_t cie_offset, ByteReader& entry) {
    auto found = cie_at_.find(cie_offset);
    if (found == cie_at_.end()) return false;
    const Cie& cie = frame_.cies[found->second];
    auto start = take_pointer(entry, cie.pointer_encoding, {section_.address, section_.data_base});
    auto size = take_length(entry, cie.pointer_encoding);
    uint64_t handlers = cie.has_augmentation_data ? read_handlers(cie, entry) : 0;
    if (!entry || !start || !size || *size > UINT64_MAX - *start) return false;
    Fde fde{.start = *start, .end = *start + *size, .cie = found->second, .handlers = handlers};
    fde.instructions_address = section_.address + entry.position();
    fde.instructions = entry.take_bytes(entry.remaining());
    frame_.fdes.push_back(fde);
    return true;
  }

  // The augmentation data of an FDE is the address of its exception table, if anything.
  uint64_t read_handlers(const Cie& cie, ByteReader& entry) const {
    uint64_t size = entry.take_uleb128(), begin = entry.position();
    entry.skip(size);
    if (!entry || size == 0 || cie.handlers_encoding == 0xff) return 0;
    ByteReader data(section_.data.first(begin + size), begin);
    // What has none, where others of its CIE have one, says so by a null, which is relative to nothing.
    ByteReader bare = data;
    if (take_length(bare, cie.handlers_encoding) == 0) return 0;
    return take_pointer(data, cie.handlers_encoding, {section_.address, section_.data_base}).value_or(0);
  }

  const EhFrameSection& section_;
  ByteReader reader_;
  EhFrame frame_;
  std::unordered_map<uint64_t, uint32_t> cie_at_;
};

}  // namespace

EhFrameSection find_eh_frame(const ElfFile& elf) {
  const ElfSection* section = elf.section(".eh_frame");
  const ElfSegment* header = elf.segment(elf::segment_eh_frame_header);
  if (section != nullptr && !section->data.empty())
    return {.data = section->data, .address = section->address, .data_base = header == nullptr ? 0 : header->address};
  return find_through_header(elf);
}

EhFrame parse_eh_frame(const EhFrameSection& section) { return EntryReader(section).read(); }

}  // namespace culprit
