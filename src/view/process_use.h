// What a process had and might have, as lines of a page.
#pragma once

#include <string>
#include <string_view>

#include "target/process_use.h"
#include "view/text_style.h"

namespace culprit {

// `handle_maker`: who made most of the handles; empty: not known. Empty where nothing is known.
std::string process_use_text(const ProcessUse& use, std::string_view handle_maker, const TextStyle& style);

}  // namespace culprit
