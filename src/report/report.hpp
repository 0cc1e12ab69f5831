#pragma once
#include <filesystem>
#include <string>

#include "lab/study/answer.hpp"
#include "report/document.hpp"

namespace nibble::report {

/// What a study's folder says: the answer first, then effects, costs, training, quantisers, classes, and where all of it
/// comes from. The store is brought up to date. Throws UserError where the folder is no study's, or no combination has the
/// baseline's name.
Document report_of(const std::filesystem::path& out, const lab::Question& question);

/// The JavaScript that draws charts (scripts/fetch_vega), or nothing with `why`: the file that NIBBLE_CHARTS names where it
/// is set, else charts.js beside the binary, else in ../share/nibble from there.
struct Library {
  std::string text;
  std::string why;
};
Library chart_library();

}  // namespace nibble::report
