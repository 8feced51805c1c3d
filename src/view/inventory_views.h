// What a process has open, as text, JSON and CSV.
#pragma once

#include <string>

#include "analysis/inventory_report.h"
#include "view/text_style.h"

namespace culprit {

std::string inventory_as_text(const InventoryReport& report, const InventoryOptions& options, const TextStyle& style);
// One handle in full: the only one of `report`.
std::string handle_in_full(const InventoryReport& report, const TextStyle& style);
std::string inventory_as_json(const InventoryReport& report, const std::string& target);
std::string inventory_as_csv(const InventoryReport& report);    // a row per handle
std::string type_counts_as_csv(const InventoryReport& report);  // a row per type

std::string mapped_files_as_text(const MappedFiles& files, const TextStyle& style);
std::string mapped_files_as_json(const MappedFiles& files, const std::string& target);
std::string mapped_files_as_csv(const MappedFiles& files);

}  // namespace culprit
