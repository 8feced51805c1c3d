#include "shell/type_filter.h"

#include <algorithm>

namespace culprit {

TypeFilter::TypeFilter(const TraceTables& tables, const std::vector<std::string>& types, EventSink& next)
    : tables_(tables), types_(types), next_(next) {
  // Words of the interface have no spaces: perf_event is typed for "perf event".
  for (std::string& type : types_) std::ranges::replace(type, '_', ' ');
}

bool TypeFilter::is_wanted(StringId type) {
  if (type == StringId::none) return true;
  if (index_of(type) >= known_types_.size()) known_types_.resize(tables_.strings.size());
  int8_t& known = known_types_[index_of(type)];
  if (known == 0) {
    std::string text(tables_.text(type));
    std::ranges::replace(text, '_', ' ');
    known = std::ranges::find(types_, text) != types_.end() ? 1 : -1;
  }
  return known > 0;
}

TypeFilter::Numbers& TypeFilter::of(ProcessId process) {
  auto& numbers = numbers_[process];
  if (!numbers) numbers = std::make_shared<Numbers>();
  return *numbers;
}

void TypeFilter::on_handle(const HandleEvent& event) {
  Numbers& numbers = of(event.process);
  switch (event.action) {
    case HandleAction::close: {
      auto known = numbers.find(event.value);
      const bool wanted = known == numbers.end() || known->second;
      if (known != numbers.end()) numbers.erase(known);
      if (wanted) next_.on_handle(event);
      return;
    }
    case HandleAction::close_range:
      std::erase_if(numbers, [&](const auto& one) { return one.first >= event.value && one.first <= event.other; });
      return next_.on_handle(event);
    default:
      return made(numbers, event);
  }
}

void TypeFilter::made(Numbers& numbers, const HandleEvent& event) {
  bool wanted = is_wanted(event.type);
  if (event.action == HandleAction::duplicate && event.type == StringId::none) {
    auto other = numbers.find(event.other);
    wanted = other == numbers.end() || other->second;
  }
  auto [place, is_new] = numbers.try_emplace(event.value, wanted);
  const bool displaces_wanted = !is_new && place->second;
  place->second = wanted;
  if (wanted) return next_.on_handle(event);
  if (!displaces_wanted) return;
  // dup2 over a handle that is recorded ends that one.
  HandleEvent end = event;
  end.action = HandleAction::close;
  end.other = -1;
  end.type = end.name = StringId::none;
  next_.on_handle(end);
}

void TypeFilter::on_process(const ProcessEvent& event) {
  next_.on_process(event);
  switch (event.change) {
    case ProcessChange::forked:
      numbers_[event.process] = std::make_shared<Numbers>(of(event.parent));
      return;
    case ProcessChange::forked_sharing:
      of(event.parent);
      numbers_[event.process] = numbers_[event.parent];
      return;
    case ProcessChange::executed:
      numbers_[event.process] = std::make_shared<Numbers>(of(event.process));  // an exec ends the sharing
      return;
    case ProcessChange::exited:
    case ProcessChange::killed:
      numbers_.erase(event.process);
      return;
    case ProcessChange::launched:
      return;
  }
}

void TypeFilter::on_snapshot(const HandleSnapshot& snapshot) {
  Numbers& numbers = of(snapshot.process);
  HandleSnapshot wanted = snapshot;
  wanted.entries.clear();
  for (const SnapshotEntry& entry : snapshot.entries) {
    if (is_wanted(entry.type)) wanted.entries.push_back(entry);
    numbers[entry.value] = is_wanted(entry.type);
  }
  next_.on_snapshot(wanted);
}

}  // namespace culprit
