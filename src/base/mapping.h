// Memory mapped into our own process, unmapped when the value goes away.
#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace culprit {

class Mapping {
 public:
  Mapping() = default;
  Mapping(void* start, size_t size) : start_(static_cast<std::byte*>(start)), size_(size) {}
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // A file's bytes, read-only and private. An empty file is an empty mapping. The mapping faults (SIGBUS) if the file
  // is truncated while in use.
  static Result<Mapping> of_file(const std::string& path);
  static Result<Mapping> of_fd(int fd, const std::string& name_for_errors);

  std::byte* data() const { return start_; }
  size_t size() const { return size_; }
  Bytes bytes() const { return {start_, size_}; }

 private:
  std::byte* start_ = nullptr;
  size_t size_ = 0;
};

}  // namespace culprit
