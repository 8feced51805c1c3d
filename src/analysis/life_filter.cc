#include "analysis/life_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/glob.h"
#include "analysis/life_replay.h"

namespace culprit {

namespace {

// "perf event" is typed as perf_event.
std::string spaceless(std::string_view type) {
  std::string word(type);
  std::replace(word.begin(), word.end(), ' ', '_');
  return word;
}

bool is_named(const std::vector<std::string>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_matches(glob, text); });
}

bool found_in_frames(const Pattern& pattern, const std::vector<ReportFrame>& frames) {
  return std::any_of(frames.begin(), frames.end(), [&](const ReportFrame& frame) {
    return pattern.found_in(frame.function) || pattern.found_in(frame.module) ||
           (!frame.file.empty() && pattern.found_in(fmt::format("{}:{}", frame.file, frame.line)));
  });
}

// The creating stacks of all lives that come by.
class StacksInUse final : public HandleLifeSink {
 public:
  explicit StacksInUse(size_t count) : in_use(count) {}
  void on_life(const HandleLife& life) override {
    if (index_of(life.created_stack) < in_use.size()) in_use[index_of(life.created_stack)] = true;
  }
  StackChoice in_use;
};

// Whether a pattern is found in a stack; stacks share their outer ends, so every frame is looked at once.
class StackSearch {
 public:
  StackSearch(const TraceTables& tables, const StackSymbols& symbols, const Pattern& pattern)
      : stacks_(tables.stacks), symbols_(symbols), pattern_(pattern), known_(stacks_.size(), Known::not_yet) {}

  bool finds(StackId stack) {
    std::vector<StackId> path;
    StackId at = stack;
    for (; index_of(at) >= StackTable::first_id && known_[index_of(at)] == Known::not_yet; at = stacks_.at(at).caller)
      path.push_back(at);
    bool found = index_of(at) >= StackTable::first_id && known_[index_of(at)] == Known::yes;
    for (size_t i = path.size(); i-- > 0;) {
      found = found || found_in_frames(pattern_, symbols_.report_frames(stacks_.at(path[i]).frame));
      known_[index_of(path[i])] = found ? Known::yes : Known::no;
    }
    return found;
  }

 private:
  enum class Known : uint8_t { not_yet, yes, no };
  const StackTable& stacks_;
  const StackSymbols& symbols_;
  const Pattern& pattern_;
  std::vector<Known> known_;
};

}  // namespace

bool creation_seen(const HandleLife& life) {
  if (life.how_created == HowCreated::existing) return false;
  return life.how_created != HowCreated::inherit || life.creating != ProcessId::none;
}

Result<StackChoice> choose_stacks(Trace& trace, const LifeFilter& filter, StackSymbols& symbols) {
  if (!filter.asks_for_stacks()) return StackChoice{};
  const TraceTables& tables = trace.tables();
  StacksInUse used(tables.stacks.size());
  LifeFilter others = filter;
  others.stack.reset();
  others.not_stack.reset();
  const StackChoice no_choice;
  LifeGate gate(tables, others, no_choice, used);
  LifeReplay replay(trace, gate, filter.to);
  CULPRIT_TRY(replay.run());

  std::vector<StackId> stacks;
  for (size_t i = StackTable::first_id; i < used.in_use.size(); ++i) {
    if (used.in_use[i]) stacks.push_back(id_at<StackId>(i));
  }
  symbols.prepare(stacks);
  StackChoice choice(std::max<size_t>(tables.stacks.size(), StackTable::first_id));
  choice[index_of(StackId::none)] = !filter.stack;  // without a stack there is nothing to be found
  std::optional<StackSearch> wanted, unwanted;
  if (filter.stack) wanted.emplace(tables, symbols, *filter.stack);
  if (filter.not_stack) unwanted.emplace(tables, symbols, *filter.not_stack);
  for (StackId stack : stacks) {
    choice[index_of(stack)] = (!wanted || wanted->finds(stack)) && (!unwanted || !unwanted->finds(stack));
  }
  return choice;
}

LifeGate::LifeGate(const TraceTables& tables, const LifeFilter& filter, const StackChoice& choice, HandleLifeSink& next)
    : tables_(tables), filter_(filter), choice_(choice), next_(next) {}

bool LifeGate::owner_wanted(ProcessId process) {
  if (filter_.processes.empty()) return true;
  if (index_of(process) >= tables_.processes.size()) return false;
  if (owners_.size() <= index_of(process)) owners_.resize(tables_.processes.size());
  Known& known = owners_[index_of(process)];
  if (known == Known::not_yet) {
    const Process& owner = tables_.process(process);
    known = process != ProcessId::none &&
                    (is_named(filter_.processes, fmt::to_string(owner.pid)) || is_named(filter_.processes, owner.name))
                ? Known::yes
                : Known::no;
  }
  return known == Known::yes;
}

bool LifeGate::type_wanted(StringId type) {
  if (filter_.types.empty()) return true;
  if (index_of(type) >= tables_.strings.size()) return false;
  if (types_.size() <= index_of(type)) types_.resize(tables_.strings.size());
  Known& known = types_[index_of(type)];
  if (known == Known::not_yet) {
    const std::string_view name = tables_.text(type);
    known = is_named(filter_.types, name) || is_named(filter_.types, spaceless(name)) ? Known::yes : Known::no;
  }
  return known == Known::yes;
}

bool LifeGate::lets_through(const HandleLife& life) {
  const bool outstanding_only = filter_.lives == Lives::outstanding;
  if (outstanding_only && !left_open(life.how_closed)) return false;
  if (!owner_wanted(life.owning) || !type_wanted(life.type)) return false;
  if (!choice_.empty() && (index_of(life.created_stack) >= choice_.size() || !choice_[index_of(life.created_stack)])) {
    return false;
  }
  if (life.closed - life.created < filter_.min_age) return false;
  const bool left_out_as_existing = !creation_seen(life) && (outstanding_only || filter_.from != INT64_MIN);
  if (left_out_as_existing || life.made < filter_.from) {
    if (left_open(life.how_closed)) ++(left_out_as_existing ? existing : older);
    return false;
  }
  return true;
}

void LifeGate::on_life(const HandleLife& life) {
  if (lets_through(life)) next_.on_life(life);
}

}  // namespace culprit
