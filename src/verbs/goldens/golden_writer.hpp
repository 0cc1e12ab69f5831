#pragma once
#include <filesystem>
#include <string>

#include "graph/graph.hpp"
#include "verbs/call.hpp"

namespace nibble::verbs {

enum class GoldenForm : unsigned char { Npz, Text };

/// The first `--samples` examples of `--golden` as one batch (the network's own where that is fixed; one for text).
/// Throws UserError where they do not fit the network or are too few.
std::vector<Tensor> golden_examples(const Call& call, const graph::Graph& source, GoldenForm form);

/// Writes goldens beside an export (golden_folder.hpp): what it computes on the examples. The export is read back and
/// run; where it and its source hold integers, the source is run too, and their outputs are the same integers or an
/// InternalError says so. Text has an out_layer<i>.txt for each layer as DORY counts them: a linear op, a pool or an
/// add with the requantisation behind it. Returns what was written, a sentence.
std::string write_goldens(const graph::Graph& source, const std::vector<Tensor>& examples,
                          const std::filesystem::path& file, const std::string& dialect, GoldenForm form);

}  // namespace nibble::verbs
