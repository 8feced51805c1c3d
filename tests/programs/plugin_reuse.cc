// Loads two plugins in turn, several times. The second usually lands where the first was: a stack taken for an old
// mapping would name the wrong one.  plugin_reuse PLUGIN_ONE PLUGIN_TWO
#include <dlfcn.h>

#include <cstdio>

namespace {

[[gnu::noinline]] void* load_run_unload(const char* path) {
  void* plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return nullptr;
  auto run = reinterpret_cast<int (*)()>(dlsym(plugin, "run_plugin"));
  bool well = run != nullptr && run() == 0;
  dlclose(plugin);
  return well ? reinterpret_cast<void*>(run) : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  int same_place = 0;
  for (int round = 0; round < 20; round++) {
    void* one = load_run_unload(argv[1]);
    void* two = load_run_unload(argv[2]);
    if (one == nullptr || two == nullptr) return 1;
    same_place += one == two;
  }
  std::printf("plugins ran 20 times each, %d times at the same address\n", same_place);
  return 0;
}
