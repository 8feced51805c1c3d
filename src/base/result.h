// Errors are values: a kind to act on, a sentence to read, a place to look. Only the front ends print.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>

namespace culprit {

enum class ErrorKind : uint8_t {
  not_found,    // no such file, process, symbol
  no_access,    // the kernel says no; `what` names what is missing
  corrupt,      // the bytes contradict the format; `where` is the offset
  unsupported,  // understood, but not something this version or machine can do
  gone,         // it was there and has ended or vanished meanwhile
  limit,        // a bound of ours or of the system was reached
  usage,        // the caller's words are off
  system,       // any other errno
};

struct Error {
  ErrorKind kind = ErrorKind::system;
  std::string what;               // one sentence: what, on what, why, what to do
  std::optional<uint64_t> where;  // file offset or address in the target
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string what, std::optional<uint64_t> where = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(what), where});
}

}  // namespace culprit

// Hands an error of `expression` up to the caller; its value, if any, is dropped.
#define CULPRIT_TRY(expression)                                        \
  do {                                                                 \
    if (auto try_result = (expression); !try_result)                   \
      return tl::unexpected<::culprit::Error>(std::move(try_result).error()); \
  } while (false)
