// What a programmer calls that which could not be used: "cart->total", of a null Cart*. By debug info alone, and only
// where it proves that a variable was there.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "analysis/crash_cause.h"
#include "symbols/object_question.h"

namespace culprit {

// The narrow side of symbols/symbolizer.
using ObjectLookup = std::function<std::optional<NamedObject>(const Module&, const ObjectQuestion&)>;

struct CrashObject {
  NamedObject named;
  int64_t offset = 0;    // from what was used as a pointer
  std::string evidence;  // a sentence
};

// An empty lookup: nothing is found.
std::optional<CrashObject> find_object(CrashScene& scene, const ObjectLookup& lookup);

// ": `cart->total` (offset 24 of a null `Cart*`)": what it adds to a verdict's words, of what failed at this
// address. Foreign text is raw.
// Empty where the cause is nothing of memory.
std::string object_words(const CrashObject& object, CrashCause cause, uint64_t address);

}  // namespace culprit
