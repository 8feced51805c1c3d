#include "shell/heap_commands.h"

#include "shell/heap_recording.h"

namespace culprit {

Ending run_heap(const Arguments& arguments, const Streams& streams) { return run_heap_recording(arguments, streams); }

}  // namespace culprit
