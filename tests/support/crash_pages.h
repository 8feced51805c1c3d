// Pages that `culprit crash` prints about cores, as JSON.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/kernel_core.h"
#include "support/run_culprit.h"

namespace culprit::test {

inline Json page_of(const std::string& core, const Words& more = {}) {
  Words command{culprit_path(), "crash", core, "--json"};
  command.insert(command.end(), more.begin(), more.end());
  Ran ran = run(command);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// Without namespaces that have no name, and parameters.
inline std::string function_of(const Json& frame) {
  std::string name = frame.at("function");
  constexpr std::string_view nameless = "(anonymous namespace)::";
  for (size_t at = name.find(nameless); at != name.npos; at = name.find(nameless)) name.erase(at, nameless.size());
  return name.substr(0, name.find('('));
}

// Of the blamed frame; empty: nobody is blamed.
inline std::string blamed_function(const Json& page) {
  return page.at("blamed").is_null() ? "" : function_of(page.at("stack").at(page.at("blamed").get<size_t>()));
}

}  // namespace culprit::test
