"""Writes a C++ file that keeps a compiler busy for seconds: standard headers, and many instantiations of their templates."""

HEADERS = """algorithm any array bitset charconv chrono complex deque filesystem forward_list fstream functional future
iomanip iostream iterator list map memory mutex numeric optional queue random ranges regex set span sstream stack string
string_view thread tuple unordered_map unordered_set utility valarray variant vector""".split()

UNIT = """
struct Key{n} {{
  int number; std::string name;
  auto operator<=>(const Key{n}&) const = default;
}};
template <> struct std::hash<Key{n}> {{
  size_t operator()(const Key{n}& key) const {{ return std::hash<std::string>()(key.name) + key.number; }}
}};
std::string work{n}(const std::vector<Key{n}>& keys) {{
  std::map<Key{n}, std::vector<std::string>> sorted;
  std::unordered_map<Key{n}, std::set<int>> hashed;
  for (const Key{n}& key : keys) {{
    sorted[key].push_back(key.name);
    hashed[key].insert(key.number);
  }}
  std::vector<Key{n}> copy(keys.begin(), keys.end());
  std::sort(copy.begin(), copy.end());
  std::variant<int, std::string, Key{n}> choice = copy.front();
  std::ostringstream out;
  std::visit([&](const auto& value) {{ out << sizeof(value) << sorted.size() << hashed.size(); }}, choice);
  std::function<std::string(int)> last = [&](int value) {{ return out.str() + std::to_string(value + {n}); }};
  return last(static_cast<int>(std::ranges::count_if(copy, [](const Key{n}& key) {{ return key.number > {n}; }})));
}}
"""


def write(path, units):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"#include <{header}>\n" for header in HEADERS)
        file.writelines(UNIT.format(n=n) for n in range(units))
