// TraceInfo as bytes: in the file header what was known at the start, in the end block what was known at the end.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "model/trace.h"

namespace culprit {

std::string encode_info(const TraceInfo& info);
std::optional<TraceInfo> parse_info(Bytes bytes);  // nullopt: contradicts the format

}  // namespace culprit
