// What `culprit doctor` found out.
#pragma once

#include <string>
#include <vector>

#include "view/text_style.h"

namespace culprit {

struct MachineCheck {
  std::string name;
  bool works = false;
  std::string finding;  // one sentence: what was seen
  std::string remedy;   // one sentence; empty: nothing to do
};

struct MachineArea {
  std::string name;  // "agent"
  std::string use;   // what culprit does with it
  std::vector<MachineCheck> checks;
};

struct MachineReport {
  std::string machine;  // "Linux 6.1.0 x86_64"
  std::string version;
  std::vector<MachineArea> areas;
};

std::string machine_as_text(const MachineReport& report, const TextStyle& style);
std::string machine_as_json(const MachineReport& report);

}  // namespace culprit
