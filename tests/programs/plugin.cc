// Built twice with different names: two libraries that fit into the same place one after the other.
#include <sys/eventfd.h>

extern "C" [[gnu::noinline]] int PLUGIN_LEAK() {
  int event = eventfd(0, EFD_CLOEXEC);
  return event < 0 ? -1 : event;
}

extern "C" int run_plugin() { return PLUGIN_LEAK() < 0 ? 1 : 0; }
