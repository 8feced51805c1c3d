// "handles(server) > 5000 or size >= 2G": when a recorder stops by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace culprit {

// What a condition can ask about.
struct StopFacts {
  uint64_t events = 0;  // recorded so far
  uint64_t size = 0;    // of the file
  // Open handles of a process by pid or name (of several with that name, of the one with the most), or of "all".
  std::function<uint64_t(std::string_view whose)> handles;
};

// condition  := conjunction ("or" conjunction)*
// conjunction := comparison ("and" comparison)*
// comparison := quantity (">" | ">=" | "<" | "<=" | "==" | "!=") number | "(" condition ")"
// quantity   := "handles" "(" whose ")" | "events" | "size";   of "size" the number has a unit: 2G
class StopCondition {
 public:
  // Errors are of kind usage, with the offset in the text.
  static Result<StopCondition> parse(std::string_view text);

  bool holds(const StopFacts& facts) const { return holds(root_, facts); }

 private:
  friend class StopConditionParser;
  enum class Kind : uint8_t { any, all, handles, events, size };
  enum class Relation : uint8_t { more, at_least, less, at_most, equal, unequal };
  struct Node {
    Kind kind = Kind::any;
    Relation relation = Relation::more;
    uint64_t number = 0;
    std::string whose;
    std::vector<size_t> parts;  // of any and all
  };
  bool holds(size_t index, const StopFacts& facts) const;

  std::vector<Node> nodes_;
  size_t root_ = 0;
};

}  // namespace culprit
