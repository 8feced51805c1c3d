// A leak at the bottom of functions whose names are kilobytes long and whose stack is 60 frames deep.
#include <sys/eventfd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace deep {

template <typename Payload, int Depth>
struct Layer {
  [[gnu::noinline]] static int sink(const Payload& payload) {
    int made = Layer<Payload, Depth - 1>::sink(payload);
    return made < 0 ? made : made + 1;  // not a tail call
  }
};

template <typename Payload>
struct Layer<Payload, 0> {
  [[gnu::noinline]] static int sink(const Payload& payload) {
    int event = eventfd(static_cast<unsigned>(payload.size()), EFD_CLOEXEC);
    return event < 0 ? -1 : 0;
  }
};

}  // namespace deep

int main() {
  using Payload = std::map<std::string, std::vector<std::map<std::string, std::shared_ptr<std::vector<std::string>>>>>;
  Payload payload;
  for (int round = 0; round < 25; round++) {
    if (deep::Layer<Payload, 60>::sink(payload) < 0) return 1;
  }
  return 0;
}
