// What is known about a handle, in words. For view/*.cc only. Foreign text in them is printable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/inventory_report.h"

namespace culprit {

// "read", "append", "close-on-exec"; empty: not known.
std::vector<std::string_view> flag_words(const OpenHandle& handle);
std::vector<std::string_view> epoll_words(uint32_t events);  // "in", "out", "edge" …
std::vector<std::string_view> inotify_words(uint32_t mask);  // "modify", "create" …
std::vector<std::string> signal_words(uint64_t mask);        // "INT", "TERM", "RTMIN+2" …
std::string_view clock_word(int64_t clock);                  // "monotonic"; empty: unknown

std::string joined(const std::vector<std::string_view>& words, std::string_view between = ", ");

// Name and address as people read them; of what has neither, what its protocol is.
std::string handle_name(const OpenHandle& handle, size_t columns);
// "worker (12) as 7", several of them with "and"; at most `most`, then how many more.
std::string holder_list(const std::vector<HandleHolder>& holders, uint32_t own_pid, size_t most);
// All that is worth saying of a handle beside type, name and flags, the most telling first.
std::vector<std::string> detail_phrases(const InventoryHandle& handle, uint32_t own_pid);
// "3-19, 24"
std::string value_ranges(const InventoryGroup& group);

}  // namespace culprit
