// `record start`, `stop`, `status` and `cancel`.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_record_start(const Arguments& arguments, const Streams& streams);
Ending run_record_stop(const Arguments& arguments, const Streams& streams);
Ending run_record_status(const Arguments& arguments, const Streams& streams);
Ending run_record_cancel(const Arguments& arguments, const Streams& streams);

}  // namespace culprit
