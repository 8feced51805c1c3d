// Built twice with different names and sizes: two libraries that fit into the same place one after the other, and call
// back from deep in there.
extern "C" [[gnu::noinline]] int PLUGIN_CALLS(void (*call)(unsigned), int depth) {
  if (depth > 0) return PLUGIN_CALLS(call, depth - 1) ^ 1;  // no tail call
  call(PLUGIN_SIZE);
  return 0;
}

extern "C" int run_plugin(void (*call)(unsigned)) { return PLUGIN_CALLS(call, 10) == 0 ? 1 : 0; }
