#include "shell/heap_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace culprit {

namespace {

// People read a screen; programs filter for themselves.
constexpr size_t shown_groups = 20, shown_blocks = 40;

// "1234" or "0x4d2", all of it.
std::optional<uint64_t> whole_number(std::string_view text) {
  const int base = text.starts_with("0x") || text.starts_with("0X") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

std::optional<BlockSizes> two_sizes(const std::string& text) {
  const size_t dash = text.find('-');
  auto least = whole_number(text.substr(0, dash));
  auto most = dash == std::string::npos ? std::nullopt : whole_number(text.substr(dash + 1));
  return least && most && *least <= *most ? std::optional(BlockSizes{*least, *most}) : std::nullopt;
}

Result<void> take_range(const Arguments& arguments, HeapQuestion& question) {
  const std::string text = arguments.text("--range");
  auto sizes = two_sizes(text);
  if (!sizes)
    return fail(ErrorKind::usage,
                fmt::format("--range takes two sizes, the smaller one first, as 100-200 or 0x50-0x7f, and not {}",
                            printable(text)));
  question.least = sizes->least;
  question.most = sizes->most;
  return {};
}

// At most one of them may be asked.
Result<HeapAsk> ask_of(const Arguments& arguments) {
  struct Choice {
    bool is_asked;
    HeapAsk ask;
    std::string words;
  };
  const std::string by = arguments.text("--by");
  if (arguments.has("--by") && by != "size" && by != "type")
    return fail(
        ErrorKind::usage,
        fmt::format("the heap of a process or core can be told --by size or --by type, and not by {}", printable(by)));
  const Choice choices[] = {{by == "size", HeapAsk::by_size, "--by size"},
                            {by == "type", HeapAsk::by_type, "--by type"},
                            {arguments.has("--list"), HeapAsk::list, "--list"},
                            {arguments.has("--block"), HeapAsk::block, "--block"},
                            {arguments.has("--unreachable"), HeapAsk::unreachable, "--unreachable"}};
  const Choice* chosen = nullptr;
  for (const Choice& choice : choices) {
    if (!choice.is_asked) continue;
    if (chosen != nullptr)
      return fail(ErrorKind::usage,
                  fmt::format("{} and {} are different questions: ask one at a time", chosen->words, choice.words));
    chosen = &choice;
  }
  if (chosen != nullptr) return chosen->ask;
  // !heap -flt: who names a size wants to see its blocks.
  return arguments.has("--size") || arguments.has("--range") ? HeapAsk::list
         : arguments.has("--count")                          ? HeapAsk::by_size
                                                             : HeapAsk::summary;
}

Result<void> check_options(const Arguments& arguments, HeapAsk ask) {
  const bool can_choose = ask == HeapAsk::by_size || ask == HeapAsk::by_type || ask == HeapAsk::list;
  for (std::string_view option : {"--size", "--range", "--arena"})
    if (arguments.has(option) && !can_choose)
      return fail(ErrorKind::usage, fmt::format("{} chooses blocks for --by size, --by type or --list", option));
  if (arguments.has("--size") && arguments.has("--range"))
    return fail(ErrorKind::usage, "--size and --range both say which sizes: give one of them");
  if (arguments.has("--count") && ask != HeapAsk::by_size && ask != HeapAsk::by_type)
    return fail(ErrorKind::usage, "--count puts groups with most blocks first: it goes with --by size or --by type");
  if (arguments.has("--no-stop") && arguments.has("--stop-at-most"))
    return fail(ErrorKind::usage, "--no-stop and --stop-at-most contradict each other: give one of them");
  if (arguments.has("--fail-on-leak") && ask != HeapAsk::unreachable)
    return fail(ErrorKind::usage, "--fail-on-leak goes with --unreachable");
  return {};
}

}  // namespace

Result<uint64_t> number_option(const Arguments& arguments, std::string_view option) {
  const std::string text = arguments.text(option);
  if (auto value = whole_number(text)) return *value;
  return fail(ErrorKind::usage, fmt::format("{} takes a number, 4096 or 0x1000, and not {}", option, printable(text)));
}

Result<BlockSizes> parse_block_sizes(const std::string& text, std::string_view option) {
  if (auto one = whole_number(text)) return BlockSizes{*one, *one};
  if (auto two = two_sizes(text)) return *two;
  return fail(ErrorKind::usage,
              fmt::format("{} takes a size, 4096 or 0x1000, or two, as 100-200, and not {}", option, printable(text)));
}

Result<HeapQuestion> heap_question(const Arguments& arguments) {
  HeapQuestion question;
  auto ask = ask_of(arguments);
  if (!ask) return tl::unexpected<Error>(std::move(ask).error());
  question.ask = *ask;
  CULPRIT_TRY(check_options(arguments, *ask));
  const std::pair<std::string_view, std::optional<uint64_t>*> numbers[] = {{"--size", &question.size},
                                                                           {"--arena", &question.arena}};
  for (auto [option, into] : numbers) {
    if (!arguments.has(option)) continue;
    auto value = number_option(arguments, option);
    if (!value) return tl::unexpected<Error>(std::move(value).error());
    *into = *value;
  }
  if (arguments.has("--block")) {
    auto address = number_option(arguments, "--block");
    if (!address) return tl::unexpected<Error>(std::move(address).error());
    question.address = *address;
  }
  if (arguments.has("--range")) CULPRIT_TRY(take_range(arguments, question));
  question.most_blocks_first = arguments.has("--count");
  if (arguments.has("--stop-at-most")) question.stop_at_most = arguments.nanoseconds("--stop-at-most");
  question.no_stop = arguments.has("--no-stop") || question.stop_at_most == 0;
  const size_t usual = *ask == HeapAsk::list ? shown_blocks : shown_groups;
  const bool is_all = arguments.has("--all") || arguments.has("--json");
  question.kept = arguments.count("--top", is_all ? SIZE_MAX : usual);
  return question;
}

}  // namespace culprit
