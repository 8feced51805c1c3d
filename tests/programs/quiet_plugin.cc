// A library that does nothing worth mentioning, and nothing that lasts.
#include <unistd.h>

extern "C" [[gnu::noinline]] int inner_work() { return getppid() >= 0 ? 0 : 1; }

extern "C" int run_plugin() { return inner_work() + inner_work(); }
