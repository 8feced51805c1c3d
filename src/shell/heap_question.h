// What `culprit heap` and the console ask about a heap.
#pragma once

#include "analysis/heap_question.h"
#include "base/result.h"
#include "model/allocation_event.h"
#include "shell/command.h"

namespace culprit {

// From the options of the command's row. usage: they contradict each other, or a value makes no sense.
Result<HeapQuestion> heap_question(const Arguments& arguments);

// The value of an option that is there: 4096 or 0x1000.
Result<uint64_t> number_option(const Arguments& arguments, std::string_view option);

// "4096", "0x1000" or "100-200". usage: it is none of these; `option` is what it was given to.
Result<BlockSizes> parse_block_sizes(const std::string& text, std::string_view option);

}  // namespace culprit
