#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/text.h"
#include "model/handle_event.h"
#include "view/answer_text.h"
#include "view/inventory_views.h"
#include "view/inventory_words.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t longest_name = 200;
constexpr size_t value_column = 7, type_column = 15;

bool is_nearly_full(const InventoryReport& report) {
  return report.limit.soft != 0 && report.limit.soft != unlimited && report.open > report.limit.soft / 10 * 9;
}

std::string number_of(uint64_t limit) { return limit == unlimited ? "unlimited" : with_thousands(limit); }

std::string headline(const InventoryReport& report, const TextStyle& style) {
  std::string words =
      fmt::format("culprit: {} has {} open", process_words(report.process, report.pid), counted(report.open, "handle"));
  if (report.limit.soft != 0) {
    const uint64_t percent = report.limit.soft == unlimited ? 0 : report.open * 100 / report.limit.soft;
    const std::string full = fmt::format("{} % of its limit", percent);
    words +=
        fmt::format(", {} of {} (hard limit {})", inked(style, is_nearly_full(report) ? Ink::bad : Ink::plain, full),
                    number_of(report.limit.soft), number_of(report.limit.hard));
  }
  return wrapped(words, style.columns, 0, 9) + "\n";
}

std::string types_text(const InventoryReport& report, const TextStyle& style) {
  std::string list;
  for (const auto& [type, count] : report.types)
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", with_thousands(count), shown(type, 24));
  std::string text = list.empty() ? "" : line_text(style, list);
  if (report.deleted != 0)
    text += line_text(style, fmt::format("{} without a name any more {} {}", counted(report.deleted, "file"),
                                         report.deleted == 1 ? "holds" : "hold",
                                         inked(style, Ink::strong, bytes_in_words(report.deleted_bytes))));
  return text;
}

// Words are not broken: those that are too long for a line are cut in the middle. --value shows all of them.
std::string fitting(std::string_view name, size_t columns) {
  std::string words;
  while (!name.empty()) {
    const size_t end = std::min(name.find(' '), name.size());
    words += (words.empty() ? "" : " ") + shorten_middle(name.substr(0, end), columns);
    name.remove_prefix(std::min(name.size(), end + 1));
  }
  return words;
}

// From `column` on, after `lead` that stands there: name, flags, what else is known.
std::string described(const InventoryHandle& handle, uint32_t own_pid, const TextStyle& style, size_t column,
                      std::string_view lead = {}) {
  const size_t room = style.columns > column + 30 ? style.columns - column : 30;
  std::string words = inked(style, Ink::name, fitting(handle_name(handle.handle, longest_name), room - 2));
  auto add = [&](std::string_view phrase) { words += (words.empty() ? "" : ", ") + std::string(phrase); };
  for (std::string_view flag : flag_words(handle.handle)) add(flag);
  for (const std::string& phrase : detail_phrases(handle, own_pid)) add(phrase);
  if (!handle.handle.info) add("went while it was looked at");
  if (words.empty()) add("nothing more is known");
  return std::string(lead) + wrapped(words, column + room, column + lead.size(), column + 2);
}

const InventoryHandle* find_handle(const InventoryReport& report, int64_t value) {
  auto found = std::ranges::find(report.handles, value, [](const InventoryHandle& each) { return each.handle.value; });
  return found == report.handles.end() ? nullptr : &*found;
}

std::string group_text(const InventoryReport& report, const InventoryGroup& group, const TextStyle& style) {
  constexpr size_t column = value_column + 2 + type_column;
  const size_t room = style.columns > column + 30 ? style.columns - column : 30;
  std::string words =
      inked(style, Ink::name, group.name.empty() ? "(no name)" : fitting(shown(group.name, longest_name), room - 2));
  words += ": " + value_ranges(group);
  if (group.allocated != 0) words += fmt::format(", hold {}", bytes_in_words(group.allocated));
  std::string text = right_aligned(inked(style, Ink::strong, with_thousands(group.count)), value_column) + "  " +
                     padded(shown(group.type, type_column - 1), type_column) +
                     wrapped(words, column + room, column, column + 2) + "\n";
  const InventoryHandle* example = find_handle(report, group.example);
  if (example == nullptr) return text;
  const std::string lead = fmt::format("for example {}: ", group.example);
  return text + std::string(column, ' ') + described(*example, report.pid, style, column, lead) + "\n";
}

std::string handle_text(const InventoryReport& report, const InventoryHandle& handle, const TextStyle& style) {
  constexpr size_t column = value_column + 2 + type_column;
  return right_aligned(fmt::to_string(handle.handle.value), value_column) + "  " +
         padded(shown(handle.handle.type, type_column - 1), type_column) +
         described(handle, report.pid, style, column) + "\n";
}

bool is_example(const InventoryReport& report, int64_t value) {
  return std::ranges::any_of(report.groups, [&](const InventoryGroup& group) { return group.example == value; });
}

std::string list_text(const InventoryReport& report, const InventoryOptions& options, const TextStyle& style) {
  std::string list;
  for (const InventoryHandle& handle : report.handles)
    if (options.each || !is_example(report, handle.handle.value)) list += handle_text(report, handle, style);
  if (report.handles_left_out != 0)
    list += line_text(style, fmt::format("… and {} more (--all lists each)", with_thousands(report.handles_left_out)));
  return list.empty() ? "" : "\n" + list;
}

std::string notes_text(const InventoryReport& report, const TextStyle& style) {
  std::string text;
  if (report.other_mounts) text += line_text(style, "paths are those of the process's own mount namespace");
  if (report.other_network) text += line_text(style, "addresses are those of its own network namespace");
  return text + losses_text(report.losses, style);
}

std::string row(const TextStyle& style, std::string_view label, std::string_view words) {
  constexpr size_t column = 14;
  return padded("  " + std::string(label), column) + wrapped(words, style.columns, column, column) + "\n";
}

std::string access_words(const HandleHolder& holder) {
  return holder.reads && holder.writes ? "read-write" : holder.writes ? "write" : holder.reads ? "read" : "";
}

std::string holder_rows(const TextStyle& style, std::string_view label, const std::vector<HandleHolder>& holders) {
  std::string text;
  for (const HandleHolder& holder : holders)
    text +=
        row(style, text.empty() ? label : "",
            fmt::format("{} of {}, {}", holder.value, process_words(holder.process, holder.pid), access_words(holder)));
  return text;
}

std::string watch_rows(const InventoryHandle& handle, const TextStyle& style) {
  std::string text;
  for (const WatchedHandle& watched : handle.watches) {
    const std::string_view state = watched.state == WatchedHandle::State::open     ? ""
                                   : watched.state == WatchedHandle::State::closed ? "; not open here any more"
                                                                                   : "; means something else by now";
    text += row(style, text.empty() ? "watches" : "",
                fmt::format("{} for {}, data 0x{:x}{}", watched.watch.value, joined(epoll_words(watched.watch.events)),
                            watched.watch.data, inked(style, Ink::warning, state)));
  }
  for (const InotifyWatch& watch : handle.handle.info->inotify_watches)
    text += row(style, text.empty() ? "watches" : "",
                fmt::format("{}: inode {} of device {}:{}, for {}", watch.number, watch.inode, watch.device >> 20,
                            watch.device & 0xfffff, joined(inotify_words(watch.mask))));
  return text;
}

std::string duplicates_row(const InventoryHandle& handle, const TextStyle& style) {
  if (!handle.were_duplicates_sought) return "";
  std::string words = handle.duplicates.empty() ? "none in this process" : "";
  for (int64_t value : handle.duplicates) words += fmt::format("{}{}", words.empty() ? "" : ", ", value);
  return row(style, "duplicates", words);
}

}  // namespace

std::string inventory_as_text(const InventoryReport& report, const InventoryOptions& options, const TextStyle& style) {
  std::string text = headline(report, style) + types_text(report, style);
  if (report.chosen != report.open) text += line_text(style, counted(report.chosen, "handle") + " asked for");
  if (!options.counts_only && !report.groups.empty() && !options.each) {
    text += "\n  many of a kind\n";
    for (const InventoryGroup& group : report.groups) text += group_text(report, group, style);
  }
  return text + list_text(report, options, style) + "\n" + notes_text(report, style);
}

std::string handle_in_full(const InventoryReport& report, const TextStyle& style) {
  const InventoryHandle& handle = report.handles.front();
  const OpenHandle& facts = handle.handle;
  const std::string name = handle_name(facts, style.columns * 60);
  std::string text = fmt::format("culprit: handle {} of {}\n", inked(style, Ink::strong, fmt::to_string(facts.value)),
                                 process_words(report.process, report.pid));
  text += row(style, "type", shown(facts.type, 40));
  if (!name.empty()) text += row(style, "name", inked(style, Ink::name, name));
  if (!facts.info) return text + "\n" + notes_text(report, style);
  if (auto flags = flag_words(facts); !flags.empty()) text += row(style, "flags", joined(flags));
  for (std::string label = "is"; const std::string& phrase : detail_phrases(handle, report.pid)) {
    text += row(style, label, phrase);
    label.clear();
  }
  if (facts.inode != 0)
    text += row(style, "object",
                facts.device == 0
                    ? fmt::format("inode {}", facts.inode)
                    : fmt::format("inode {} of device {}:{}", facts.inode, major(facts.device), minor(facts.device)));
  text += duplicates_row(handle, style) + holder_rows(style, "other end", handle.other_end) +
          holder_rows(style, "this end", handle.same_end) + watch_rows(handle, style);
  for (const FdInfoLine& each : facts.info->lines)
    text += row(style, "kernel", fmt::format("{}: {}", shown(each.key, 60), shown(each.value, 200)));
  return text + "\n" + notes_text(report, style);
}

std::string mapped_files_as_text(const MappedFiles& files, const TextStyle& style) {
  std::string text =
      wrapped(fmt::format("culprit: a core does not have the handles of its process; {} of them may have "
                          "been {} mapped into the memory of {}",
                          files.files.empty() ? "none" : "some", counted(files.files.size(), "file"),
                          process_words(files.process, files.pid)),
              style.columns, 0, 9) +
      "\n\n";
  for (const MappedFile& file : files.files)
    text += right_aligned(bytes_in_words(file.bytes), 10) + "  " +
            wrapped(inked(style, Ink::name, shown(file.path, 2 * style.columns - 40)) +
                        (file.is_deleted ? ", deleted" : ""),
                    style.columns, 12, 14) +
            "\n";
  text += "\n" + line_text(style,
                           "which sockets, pipes and files were open, only the live process can tell: culprit handles "
                           "PID, or a recording of it");
  return text + losses_text(files.losses, style);
}

}  // namespace culprit
