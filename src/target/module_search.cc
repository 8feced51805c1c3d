#include "target/module_search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/regular_file.h"

namespace culprit {

namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Where libdebuginfod keeps what it got (debuginfod_find_executable(3)); empty: nowhere.
std::string debuginfod_cache() {
  if (const char* chosen = ::getenv("DEBUGINFOD_CACHE_PATH")) return chosen;
  if (const char* cache = ::getenv("XDG_CACHE_HOME")) return std::string(cache) + "/debuginfod_client";
  const char* home = ::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home) + "/.cache/debuginfod_client";
}

bool is_there(const std::string& path) { return path.starts_with('/') && ::access(path.c_str(), F_OK) == 0; }

std::vector<std::string> places_of(const WantedModule& wanted, const SearchPlaces& places) {
  std::vector<std::string> found;
  auto add = [&](std::string place) {
    if (std::ranges::find(found, place) == found.end()) found.push_back(std::move(place));
  };
  if (wanted.is_program && !places.executable.empty()) add(places.executable);
  for (const PlacedFile& file : places.held)
    if (file.path == wanted.path) add(file.place);
  if (wanted.path.starts_with('/') && !places.root.empty()) add(places.root + wanted.path);
  if (wanted.path.starts_with('/')) add(wanted.path);
  if (std::string name = file_name(wanted.path); !places.core_folder.empty() && !name.empty())
    add(places.core_folder + "/" + name);
  if (const std::string& id = wanted.build_id; id.size() > 2) {
    std::string place = fmt::format("/.build-id/{}/{}", id.substr(0, 2), id.substr(2));
    add("/usr/lib/debug" + place);
    // Fedora's packages have links there to the files themselves.
    if (is_there("/usr/lib/.build-id")) add("/usr/lib" + place);
    if (std::string cache = debuginfod_cache(); is_there(cache)) add(fmt::format("{}/{}/executable", cache, id));
  }
  return found;
}

// Why a file is not the one that was mapped, as a clause after its name; empty: it is, or nothing says otherwise.
std::string disagreement(const WantedModule& wanted, const ElfFile& file) {
  std::string build_id = file.build_id();
  if (!wanted.build_id.empty()) {
    if (build_id == wanted.build_id) return {};
    return build_id.empty() ? "is another build (without build id)" : fmt::format("is another build ({})", build_id);
  }
  size_t size = wanted.header.size();
  bool is_equal = file.bytes.size() >= size && std::ranges::equal(file.bytes.first(size), wanted.header);
  return is_equal ? "" : "is another build (its headers differ)";
}

}  // namespace

std::optional<FoundModule> find_module(const WantedModule& wanted, const SearchPlaces& places, std::string& missing) {
  std::vector<std::string> refused, absent;
  if (!places.opens_files) {
    missing = "nothing was looked for";
    return {};
  }
  for (const std::string& place : places_of(wanted, places)) {
    auto mapping = map_regular_file(place);
    if (!mapping && mapping.error().kind == ErrorKind::not_found) {
      absent.push_back(place);
      continue;
    }
    if (!mapping) {
      refused.push_back(mapping.error().what);
      continue;
    }
    auto elf = parse_elf(mapping->bytes());
    std::string why = elf ? disagreement(wanted, *elf) : "is " + elf.error().what;
    if (why.empty()) {
      bool is_proven = !wanted.build_id.empty() || !wanted.header.empty();
      return FoundModule{std::move(*mapping), std::move(*elf), place, is_proven};
    }
    refused.push_back(place + " " + why);
  }
  std::vector<std::string> parts = std::move(refused);
  if (!absent.empty()) parts.push_back(fmt::format("not at {}", fmt::join(absent, ", ")));
  if (parts.empty()) parts.emplace_back("its path is not known");
  missing = fmt::format("{}: {}", wanted.build_id.empty() ? "no build id" : "build id " + wanted.build_id,
                        fmt::join(parts, "; "));
  return {};
}

}  // namespace culprit
