#pragma once
#include <filesystem>
#include <vector>

#include "base/json.hpp"
#include "lab/experiment.hpp"

/// What a run leaves in its folder beside its outcome.
namespace nibble::lab {

/// predictions.json, of each example of the test set, in its order; by network (FP, FQ, QD, ID):
///
///   {"FP": "0110...", ..., "ID": "0110...",   whether its decision is the label, a digit an example
///    "labels": [7, 2, ...],
///    "classes": {"FP": [7, 1, ...], ...}}     its decisions
///   {"FP": [0.25, ...], ..., "groups": [3, 3, ...]}   or, of targets, its errors, and the examples' groups where there are
void record_predictions(const std::vector<Row>& rows, const std::filesystem::path& folder);

/// latency.json, {"seconds": the median of one inference of the integer network, "threads": 1}; none where no row has one.
void record_latency(const std::vector<Row>& rows, const std::filesystem::path& folder);

/// [{"file": "w8a8/id.onnx", "bytes": 4711, "hash": 16 digits, FNV-1a of its bytes}, ...]: networks and certificates
/// below the folder, by name.
Json artefacts_json(const std::filesystem::path& folder);

/// {"nibble": "0.1.0", "libtorch": "1.13.1"}
Json versions_json(const train::Api& api);

}  // namespace nibble::lab
