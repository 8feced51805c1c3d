// How a writer gets at what it wrote; others use trace_reader.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "model/trace.h"

namespace culprit {

// `losses`, with the recorder's process ids, count where the file has no end block.
Result<std::unique_ptr<Trace>> open_own_recording(Fd fd, const std::string& name, const std::vector<Loss>& losses,
                                                  bool being_recorded);

}  // namespace culprit
