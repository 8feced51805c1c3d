// Questions about the handles of a recording beside the report by blame: groups in any order, the number over time, the
// history of one number, what changed between two moments, or between two recordings. A question is parsed and checked
// once; it can then be asked of any Trace, of the unfinished recording of a live session as well.
#pragma once

#include <string>
#include <vector>

#include "analysis/handle_columns.h"
#include "analysis/life_filter.h"
#include "base/fd.h"
#include "shell/command.h"
#include "shell/handle_answer.h"

namespace culprit {

enum class Asked : uint8_t {
  report,     // none of these: `answer_handles` answers it
  groups,     // --by, and filters
  over_time,  // --over-time
  value,      // --value N
  moments,    // diff RECORDING
};
enum class AnswerForm : uint8_t { text, json, csv };

struct HandleQuestion {
  Asked asked = Asked::report;
  AnswerForm form = AnswerForm::text;
  std::vector<HandleColumn> by;  // groups: empty is the default order; over_time: at most one
  LifeFilter filter;             // without its moments, which are:
  std::string from, to;          // "10s" since the beginning, or a mark's name; empty: from the beginning, to the end
  size_t top = 0;                // 0: what suits the form
  size_t depth = 0;              // only so many of the columns; 0: all
  int64_t value = 0;
  bool details = false;  // value: every frame; two recordings: what did not change, too
  Fd report_file;        // of --report
};

// Of `handles`: which question its options ask. Of `diff`: what it asks of each recording.
Result<HandleQuestion> parse_handle_question(const Arguments& arguments);
Result<HandleQuestion> parse_diff_question(const Arguments& arguments);

// Analyses and prints. The error is one of reading, of writing, or of a moment that is not there. For moments, an empty
// `from` is the newest mark before `to`.
Result<void> answer_question(Trace& trace, const HandleQuestion& question, const AnswerPlace& place);

// What differs between two recordings; `place.target` is the one after. `from` and `to` are those of each.
Result<void> answer_recording_diff(Trace& before, const std::string& before_path, Trace& after,
                                   const HandleQuestion& question, const AnswerPlace& place);

}  // namespace culprit
