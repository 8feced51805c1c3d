#include "trace/address_history.h"

#include <utility>

namespace culprit {

void AddressHistory::clear() {
  made_.clear();
  for (Freed& freed : freed_) freed.clear();
  last_made_ = last_released_ = 0;
}

void AddressEncoder::clear() {
  AddressHistory::clear();
  ++clearing_;
  used_ = 0;
}

void AddressEncoder::grow() {
  std::vector<Place> old = std::exchange(places_, std::vector<Place>(places_.empty() ? 1024 : places_.size() * 2));
  used_ = 0;
  for (const Place& place : old)
    if (place.clearing == clearing_ && place.made != 0) place_of(place.address) = place;
}

// That of the address, or a free one that is its from now on.
AddressEncoder::Place& AddressEncoder::place_of(uint64_t address) {
  if ((used_ + 1) * 2 > places_.size()) grow();
  size_t index = (address * 0x9e3779b97f4a7c15) >> 20;
  for (;; ++index) {
    Place& place = places_[index & (places_.size() - 1)];
    if (place.clearing != clearing_) {
      ++used_;
      return place = {address, clearing_, 0};
    }
    if (place.address == address) return place;
  }
}

void AddressEncoder::put_allocated(ByteWriter& out, uint64_t address, uint64_t size) {
  const uint32_t size_class = class_of(size);
  uint64_t code = warm_count;
  if (size_class != 0) {
    const Freed& freed = freed_of(size_class);
    for (code = 0;
         code < warm_count && (code >= freed.size() || *(freed.end() - 1 - static_cast<ptrdiff_t>(code)) != address);)
      ++code;
  }
  if (code == warm_count) code += code_of(address, last_made_);
  out.put_uleb128(code);
  allocated(code, size);
  place_of(address).made = static_cast<uint32_t>(made_.size());
}

void AddressEncoder::put_released(ByteWriter& out, uint64_t address) {
  const uint32_t made = std::exchange(place_of(address).made, 0);
  const uint64_t back = made == 0 ? 0 : made_.size() + 1 - made;
  out.put_uleb128(back);
  if (back != 0) {
    released(back);
  } else {
    const uint64_t code = code_of(address, last_released_);
    out.put_uleb128(code);
    released_elsewhere(code);
  }
}

}  // namespace culprit
