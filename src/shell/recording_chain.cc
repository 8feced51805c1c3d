#include "shell/recording_chain.h"

#include <algorithm>

namespace culprit {

namespace {

// The back end has bounds of its own; what grows with the length of a recording gets these parts.
constexpr uint64_t tables_share = 2, open_handles_share = 4;
// A thread is drained within milliseconds; at most this part of a circular recording is held back to be put in order.
constexpr uint64_t bytes_per_held_event = 64;
constexpr size_t fewest_held = 1 << 12, most_held = 1 << 17;

}  // namespace

Result<std::unique_ptr<RecordingChain>> RecordingChain::create(const std::string& output, const RecordingBounds& bounds,
                                                               TraceTables& tables, const TraceInfo& info) {
  std::unique_ptr<RecordingChain> chain(new RecordingChain(tables));
  tables.limit_memory(bounds.memory / tables_share);
  WriterLimits limits{.max_size = bounds.max_size, .circular = bounds.circular};
  if (bounds.circular != 0) {
    OpenHandles::Bounds open;
    open.held_events = std::clamp<size_t>(bounds.circular / bytes_per_held_event, fewest_held, most_held);
    open.table_bytes = bounds.memory / open_handles_share;
    chain->open_ = std::make_unique<OpenHandles>(tables, open);
    limits.open_handles = chain->open_.get();
  }
  auto writer = output.empty() ? TraceWriter::create_temporary(tables, info, limits)
                               : TraceWriter::create(output, tables, info, limits);
  if (!writer) return tl::unexpected<Error>(std::move(writer).error());
  chain->writer_ = std::move(*writer);
  chain->first_ = chain->writer_.get();
  if (chain->open_) {
    chain->both_ = std::make_unique<Both>(*chain->open_, *chain->writer_);
    chain->first_ = chain->both_.get();
  }
  if (!bounds.types.empty()) {
    chain->filter_ = std::make_unique<TypeFilter>(tables, bounds.types, *chain->first_);
    chain->first_ = chain->filter_.get();
  }
  return chain;
}

void RecordingChain::count(uint64_t now, uint64_t& before, const char* what) {
  if (now > before) writer_->on_loss({.kind = LossKind::memory_limit, .count = now - before, .detail = what});
  before = now;
}

void RecordingChain::hand_on_losses() {
  count(tables_.strings.refused(), refused_names_, "names that found no room within --memory");
  count(tables_.stacks.refused(), refused_stacks_, "frames of new stacks that found no room within --memory");
  if (open_)
    count(open_->refused(), refused_handles_,
          "open handles that found no room within --memory: once their creation has "
          "fallen out of the file they are unknown");
}

}  // namespace culprit
