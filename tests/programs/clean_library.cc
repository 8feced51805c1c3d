// Keeps blocks where only a library has them: in its variables, and in thread-local ones, for which the loader asks
// malloc when a thread first uses them.
#include <map>
#include <string>
#include <vector>

namespace {

std::map<int, std::string> names;
thread_local std::vector<std::string> of_thread;

}  // namespace

extern "C" int fill_library() {
  for (int i = 0; i < 20; ++i) names[i] = std::string(100, 'n');
  for (int i = 0; i < 20; ++i) of_thread.emplace_back(100, 't');
  return static_cast<int>(names.size() + of_thread.size());
}
