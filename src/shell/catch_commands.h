// `culprit catch`: pages about every crash on this machine, as they happen.
#pragma once

#include "shell/command.h"

namespace culprit {

Ending run_catch_install(const Arguments& arguments, const Streams& streams);
Ending run_catch_uninstall(const Arguments& arguments, const Streams& streams);
Ending run_catch_list(const Arguments& arguments, const Streams& streams);
Ending run_catch_show(const Arguments& arguments, const Streams& streams);
Ending run_catch_handle(const Arguments& arguments, const Streams& streams);  // for the kernel

}  // namespace culprit
