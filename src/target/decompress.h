// Bytes of compressed files, piece by piece.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace culprit {

using ByteSink = std::function<Result<void>(Bytes)>;

struct Compression {
  std::string_view name;   // "zstd"
  std::string_view magic;  // what such files begin with
  // Errors are those of the sink. Otherwise a clause which says why the bytes ended before their end; empty: they did
  // not. Null: cannot be read here.
  Result<std::string> (*decompress)(Bytes compressed, const ByteSink& sink);
  std::string_view tool;  // which turns such a file into a plain one
};

// Null: not compressed in a way that is known.
const Compression* compression_of(Bytes first_bytes);

}  // namespace culprit
