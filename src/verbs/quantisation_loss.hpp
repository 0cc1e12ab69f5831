#pragma once
#include <optional>
#include <string>

#include "base/json.hpp"
#include "verbs/sources.hpp"

/// What integers lose beside the fake-quantised network that they were made of, on data.
namespace nibble::verbs {

struct QuantisationLoss {
  std::string data;     ///< SET:PATH[:SPLIT]
  std::string missing;  ///< why it was not measured; empty where it was
  int64_t examples = 0;
  int64_t elements = 0, differing = 0;  ///< integers compared, over all layers, and those that are not equal
  double largest = 0;                   ///< the largest difference of an integer, in levels
  double sqnr_db = 0;                   ///< of the outputs, the worst; infinite where they are equal
};

/// Metadata of a fake-quantised network: the data that its ranges were taken from.
inline constexpr std::string_view calibration_key = "calibration";

/// On `--data`, else on what the network says it was calibrated on: then data that is not there is no error but
/// `missing`. At most `examples` of them.
QuantisationLoss measure_loss(const Call& call, const graph::Graph& fake, const graph::Graph& integer,
                              int64_t examples);

std::string describe(const QuantisationLoss& loss, graph::Stage stage);
Json to_json(const QuantisationLoss& loss);

}  // namespace nibble::verbs
