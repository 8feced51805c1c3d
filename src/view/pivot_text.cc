#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/pivot_views.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t percent_columns = 6;  // "100.0%"
constexpr size_t least_words = 24;     // of a row, however deep it stands

bool is_stack(const ColumnValue& value) { return !value.stack.frames.empty(); }

class TreeText {
 public:
  TreeText(const HandlePivot& pivot, const TextStyle& style)
      : pivot_(pivot), style_(style), all_(pivot.lives == Lives::all) {
    count_columns_ = std::max<size_t>(5, with_thousands(pivot.root.counts.outstanding()).size());
    made_columns_ = std::max<size_t>(5, with_thousands(pivot.root.counts.created()).size());
    margin_ = 2 + count_columns_ + 1 + percent_columns + 2 + (all_ ? 2 * (made_columns_ + 2) : 0);
  }

  std::string print() {
    std::string path;
    for (HandleColumn column : pivot_.columns) path += fmt::format("{}{}", path.empty() ? "" : next(), name_of(column));
    std::string head = fmt::format("  {:>{}} {:>{}}  ", "count", count_columns_, "%", percent_columns);
    if (all_) head += fmt::format("{:>{}}  {:>{}}  ", "made", made_columns_, "closed", made_columns_);
    text_ = inked(style_, Ink::faint, head + wrapped(path, style_.columns, margin_, margin_)) + "\n";
    Path above;
    print_children(pivot_.root, 0, above);
    return text_;
  }

 private:
  using Path = std::vector<const ColumnValue*>;

  std::string_view more() const { return style_.unicode ? "…" : "..."; }
  std::string_view next() const { return style_.unicode ? " › " : " > "; }
  size_t room(size_t indent) const {
    return std::max(least_words, style_.columns > margin_ + indent ? style_.columns - margin_ - indent : 0);
  }

  // Where nothing is outstanding, of all that were made.
  std::string percent(const LifeCounts& counts) const {
    const uint64_t whole = pivot_.root.counts.outstanding();
    if (whole == 0) return "";
    return fmt::format("{:.1f}%", 100.0 * static_cast<double>(counts.outstanding()) / static_cast<double>(whole));
  }

  std::string numbers(const LifeCounts& counts) const {
    std::string text = fmt::format("  {:>{}} {:>{}}  ", with_thousands(counts.outstanding()), count_columns_,
                                   percent(counts), percent_columns);
    if (all_)
      text += fmt::format("{:>{}}  {:>{}}  ", with_thousands(counts.created()), made_columns_,
                          with_thousands(counts.closed), made_columns_);
    return text;
  }

  // Who made it is who has it, as a rule.
  std::string words_of(const ColumnValue& value, const Path& above, size_t columns) const {
    for (const ColumnValue* other : above) {
      const bool pair = (value.column == HandleColumn::creating && other->column == HandleColumn::owning) ||
                        (value.column == HandleColumn::owning && other->column == HandleColumn::creating);
      if (!pair || value.state != ColumnState::none || other->state != ColumnState::none) continue;
      if (value.number == other->number && value.text == other->text)
        return value.column == HandleColumn::creating ? "made by itself" : "its own";
    }
    return value_words(value, columns, style_.unicode);
  }

  std::string stack_words(const ColumnValue& value, size_t column, size_t lines) const {
    const std::string_view lead = value.column == HandleColumn::closing_stack ? "closed in " : "";
    return std::string(lead) + stack_paragraph(value.stack, style_, column + lead.size(), lines);
  }

  // Stacks that look alike in one line get two.
  std::map<std::string, size_t> likenesses(const PivotNode& node, size_t indent) const {
    std::map<std::string, size_t> alike;
    for (const PivotNode& child : node.children)
      if (is_stack(child.value)) ++alike[stack_words(child.value, margin_ + indent, 1)];
    return alike;
  }

  void print_children(const PivotNode& node, size_t indent, Path& above) {
    const std::map<std::string, size_t> alike = likenesses(node, indent);
    for (const PivotNode& child : node.children) {
      const auto found =
          is_stack(child.value) ? alike.find(stack_words(child.value, margin_ + indent, 1)) : alike.end();
      print_row(child, indent, found != alike.end() && found->second > 1 ? 2 : 1, above);
    }
    if (node.folded == 0) return;
    std::string words = fmt::format("{} {} more", more(), with_thousands(node.folded));
    text_ += numbers(node.folded_counts) + std::string(indent, ' ') + inked(style_, Ink::faint, words) + "\n";
  }

  // A row, and on its line (or lines) whatever is the only one below it.
  void print_row(const PivotNode& first, size_t indent, size_t stack_lines, Path& above) {
    const size_t above_before = above.size();
    text_ += numbers(first.counts) + std::string(indent, ' ');
    size_t column = margin_ + indent;
    const PivotNode* node = &first;
    for (bool is_first = true;; is_first = false, node = &node->children.front()) {
      std::string words = is_stack(node->value) ? "" : words_of(node->value, above, room(indent + 2));
      const size_t needed = display_width(next()) + display_width(words);
      if (!is_first && (is_stack(node->value) || column + needed > style_.columns)) {
        column = margin_ + indent + 2;
        text_ += "\n" + std::string(column, ' ');
      } else if (!is_first) {
        text_ += next();
        column += display_width(next());
      }
      text_ += is_stack(node->value) ? stack_words(node->value, column, stack_lines) : words;
      column += display_width(words);
      above.push_back(&node->value);
      if (node->children.size() != 1 || node->folded != 0) break;
    }
    const bool collapsed = node->children.empty() && node->folded != 0;
    if (collapsed) text_ += fmt::format(" {}", more());
    text_ += "\n";
    if (!collapsed) print_children(*node, indent + 2, above);
    above.resize(above_before);
  }

  const HandlePivot& pivot_;
  const TextStyle& style_;
  bool all_;
  size_t count_columns_ = 0, made_columns_ = 0, margin_ = 0;
  std::string text_;
};

// "305 handles outstanding, all hidden by exit", "600 handles: 300 outstanding (5 of them hidden by exit), 300 closed"
std::string headline(const HandlePivot& pivot, const TextStyle& style) {
  const LifeCounts& counts = pivot.root.counts;
  const bool all = pivot.lives == Lives::all;
  std::string hidden;
  if (counts.at_exit != 0)
    hidden = counts.still_open == 0 ? std::string("all hidden by exit")
                                    : fmt::format("{} of them hidden by exit", with_thousands(counts.at_exit));
  std::string words = inked(style, Ink::strong, counted(all ? counts.created() : counts.outstanding(), "handle"));
  if (all) {
    words += fmt::format(": {} outstanding{}, {} closed; made", with_thousands(counts.outstanding()),
                         hidden.empty() ? "" : fmt::format(" ({})", hidden), with_thousands(counts.closed));
  } else {
    words += fmt::format(" outstanding{}, made", hidden.empty() ? "" : ", " + hidden);
  }
  words += fmt::format(" {} by {}", window_words(pivot.basis), counted(pivot.basis.processes, "process", "processes"));
  return wrapped("culprit: " + words + filter_words(pivot.basis.filter), style.columns, 0, 9) + "\n";
}

std::string left_out(const HandlePivot& pivot, const TextStyle& style) {
  std::string words;
  if (pivot.existing != 0)
    words += fmt::format("{} there before the recording or copies of such", with_thousands(pivot.existing));
  if (pivot.older != 0)
    words += fmt::format("{}{} made before {}", words.empty() ? "" : ", ", with_thousands(pivot.older),
                         duration_in_words(pivot.basis.from));
  if (words.empty()) return "";
  const bool shown_by_all = pivot.lives != Lives::all && pivot.basis.filter.from == INT64_MIN;
  return line_text(style, fmt::format("not counted: {}{}", words, shown_by_all ? " (--all counts them)" : ""));
}

}  // namespace

std::string pivot_as_text(const HandlePivot& pivot, const TextStyle& style) {
  std::string text = headline(pivot, style);
  if (!pivot.root.children.empty()) text += "\n" + TreeText(pivot, style).print() + "\n";
  return text + left_out(pivot, style) + losses_text(pivot.basis.losses, style);
}

}  // namespace culprit
