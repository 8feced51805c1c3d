// A library that the program initialises itself, while the loader keeps its lock.
extern "C" [[gnu::weak]] void in_constructor();

[[gnu::constructor]] static void begin() {
  if (in_constructor != nullptr) in_constructor();
}
