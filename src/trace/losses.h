// Lists of losses: equal ones are added up.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/loss.h"

namespace culprit {

// Beyond some number of different ones, only the sum by kind is kept, so that the list stays short.
inline void add_loss(std::vector<Loss>& losses, Loss loss) {
  constexpr size_t max_different = 512;
  if (losses.size() >= max_different) {
    loss.process = ProcessId::none;
    loss.detail.clear();
  }
  auto same = std::find_if(losses.begin(), losses.end(), [&](const Loss& other) {
    return other.kind == loss.kind && other.process == loss.process && other.detail == loss.detail;
  });
  if (same == losses.end()) {
    losses.push_back(std::move(loss));
  } else {
    same->count = loss.count > UINT64_MAX - same->count ? UINT64_MAX : same->count + loss.count;
  }
}

inline std::optional<LossKind> loss_kind_named(std::string_view name) {
  for (size_t i = 0; i < loss_kind_count; ++i) {
    if (meaning_of(static_cast<LossKind>(i)).name == name) return static_cast<LossKind>(i);
  }
  return std::nullopt;
}

}  // namespace culprit
