#include "analysis/stack_signatures.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>

namespace culprit {

namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

StackSignatures::StackSignatures(StackSymbols& symbols, const TraceTables& here, const TraceTables& there)
    : symbols_(symbols), tables_(here), same_(here.modules.size()) {
  std::set<std::string_view> builds;
  for (const Module& module : there.modules) builds.insert(module.build_id);
  for (size_t i = 1; i < here.modules.size(); ++i)
    same_[i] = !here.modules[i].build_id.empty() && builds.contains(here.modules[i].build_id);
}

void StackSignatures::prepare(std::span<const StackId> stacks) {
  std::vector<StackId> by_name;
  for (StackId stack : stacks)
    if (!all_same(stack)) by_name.push_back(stack);
  symbols_.prepare(by_name);
}

std::string StackSignatures::of(StackId stack) const {
  std::string signature;
  for (const Frame& frame : frames(stack)) {
    signature += '\n';
    if (is_same_build(frame.module))
      signature += fmt::format("{}+{:x}", tables_.module(frame.module).build_id, frame.offset);
    else
      signature += named(frame);
  }
  return signature;
}

std::vector<Frame> StackSignatures::frames(StackId stack) const {
  if (index_of(stack) >= tables_.stacks.size()) return {};
  return tables_.stacks.frames(stack, StackSymbols::frame_limit);
}

bool StackSignatures::all_same(StackId stack) const {
  return std::ranges::all_of(frames(stack), [&](const Frame& frame) { return is_same_build(frame.module); });
}

std::string StackSignatures::named(const Frame& frame) const {
  std::string text;
  for (const ReportFrame& part : symbols_.report_frames(frame)) {
    text += fmt::format("{}!", file_name(part.module));
    text += part.function.empty() ? fmt::format("+{:x}", part.offset) : part.function;
  }
  return text;
}

std::vector<std::string> names_of_different_builds(const TraceTables& before, const TraceTables& after) {
  std::unordered_map<std::string, std::set<std::string>> builds;
  for (const Module& module : before.modules) {
    if (module.path.starts_with('/')) builds[module.path].insert(module.build_id);
  }
  std::set<std::string> names;
  for (const Module& module : after.modules) {
    auto found = builds.find(module.path);
    if (found != builds.end() && !found->second.contains(module.build_id)) names.insert(module.path);
  }
  return {names.begin(), names.end()};
}

}  // namespace culprit
