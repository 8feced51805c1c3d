// What `culprit heap` and the console ask about a heap.
#pragma once

#include "analysis/heap_question.h"
#include "base/result.h"
#include "shell/command.h"

namespace culprit {

// From the options of the command's row. usage: they contradict each other, or a value makes no sense.
Result<HeapQuestion> heap_question(const Arguments& arguments);

}  // namespace culprit
