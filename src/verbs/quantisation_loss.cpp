#include "verbs/quantisation_loss.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::verbs {
namespace {

void measure(const Call& call, const graph::Graph& fake, const graph::Graph& integer, int64_t examples,
             QuantisationLoss& loss) {
  Progress progress(call.quiet());
  lab::Feed feed = feed_on(call, fake, progress, "measuring the loss", loss.data);
  feed.limit = std::max<int64_t>(examples, feed.whole);
  const auto fakes = engine_of(call, fake).engine, integers = engine_of(call, integer).engine;
  const lab::Comparison found = lab::compare({{fake, *fakes}}, {integer, *integers}, feed).front();
  loss.examples = found.a.count;
  loss.elements = found.elements();
  loss.differing = found.differing();
  loss.sqnr_db = HUGE_VAL;
  for (const lab::LayerDifference& layer : found.layers) {
    if (layer.integers) loss.largest = std::max(loss.largest, layer.largest);
    const bool output = std::any_of(fake.outputs.begin(), fake.outputs.end(),
                                    [&](graph::ValueId id) { return fake[id].name == layer.name; });
    if (output) loss.sqnr_db = std::min(loss.sqnr_db, layer.sqnr_db);
  }
}

}  // namespace

QuantisationLoss measure_loss(const Call& call, const graph::Graph& fake, const graph::Graph& integer,
                              int64_t examples) {
  QuantisationLoss loss;
  const auto carried = fake.metadata.find(std::string(calibration_key));
  const bool asked = call.has("data");
  if (!asked && carried == fake.metadata.end()) {
    loss.missing = "no --data, and the network does not say what it was calibrated on";
    return loss;
  }
  loss.data = asked ? call.text("data") : carried->second;
  try {
    measure(call, fake, integer, examples, loss);
  } catch (const UserError& error) {
    if (asked) throw;
    loss.missing = error.what();
  }
  return loss;
}

std::string describe(const QuantisationLoss& loss, graph::Stage stage) {
  const std::string from = fmt::format("FQ to {}", to_string(stage));
  if (!loss.missing.empty()) return fmt::format("{}: not measured ({})\n", from, loss.missing);
  const std::string most =
      loss.differing == 0 ? ""
                          : fmt::format(", by {} {} at most", loss.largest, loss.largest == 1 ? "level" : "levels");
  return fmt::format("{} on {} {} of {}: {} of {} integers differ{}; outputs {}\n", from, loss.examples,
                     loss.examples == 1 ? "example" : "examples", loss.data, loss.differing, loss.elements, most,
                     std::isinf(loss.sqnr_db) ? "equal" : fmt::format("{:.1f} dB", loss.sqnr_db));
}

Json to_json(const QuantisationLoss& loss) {
  if (!loss.missing.empty()) return {{"data", loss.data}, {"missing", loss.missing}};
  Json json = {{"data", loss.data},           {"examples", loss.examples}, {"integers", loss.elements},
               {"differing", loss.differing}, {"largest", loss.largest},   {"sqnr_db", loss.sqnr_db}};
  if (std::isinf(loss.sqnr_db)) json["sqnr_db"] = nullptr;
  return json;
}

}  // namespace nibble::verbs
