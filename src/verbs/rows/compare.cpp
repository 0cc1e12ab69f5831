#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "lab/metrics.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/columns.hpp"
#include "verbs/translated_engine.hpp"

namespace nibble::verbs {
namespace {

std::string describe(const lab::Comparison& result) {
  Columns columns({{"layer"},
                   {"compared as"},
                   {"elements", Side::Right},
                   {"differing", Side::Right},
                   {"share", Side::Right},
                   {"largest", Side::Right},
                   {"SQNR dB", Side::Right},
                   {"cosine", Side::Right}});
  for (const lab::LayerDifference& layer : result.layers) {
    columns.add({layer.name, layer.integers ? "integers" : "reals", std::to_string(layer.elements),
                 std::to_string(layer.differing), fmt::format("{:.3g}", layer.share()),
                 fmt::format("{:.4g}", layer.largest),
                 std::isinf(layer.sqnr_db) ? "equal" : fmt::format("{:.1f}", layer.sqnr_db),
                 fmt::format("{:.6f}", layer.cosine)});
  }
  std::string text = columns.text();
  text += fmt::format("\nintegers: {} of {} differ\n", result.differing(), result.elements());
  if (const lab::LayerDifference* first = result.first())
    text += fmt::format("first in '{}', a share of {:.3g}; most in '{}', {:.3g}\n", first->name, first->share(),
                        result.worst()->name, result.worst()->share());
  if (!result.a.errors.empty()) {
    const lab::RelativeError more = lab::relative_error(result.a, result.b);
    return text + fmt::format("{}: {:.6g} and {:.6g}, a difference of {:+.3g} % (95 % interval {:+.3g} to {:+.3g})\n",
                              result.a.metric, result.a.value, result.b.value, 100 * more.value,
                              100 * more.interval.low, 100 * more.interval.high);
  }
  return text +
         fmt::format("decisions: {} of {} flip, McNemar's p {:.4g}\n", result.flips, result.a.count, result.mcnemar_p);
}

}  // namespace

Result compare(const Call& call) {
  const Runnable model_a = runnable_of(call, "A"), model_b = runnable_of(call, "B");
  const graph::Graph &a = model_a.graph, &b = model_b.graph;
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, a, progress, "comparing");
  feed.limit = call.integer("limit", -1, 1, std::numeric_limits<int64_t>::max());
  const NamedEngine engine_a = engine_of(call, model_a);
  NamedEngine engine_b = engine_of(call, model_b);
  const bool pixels = feed.set->sample(0).x.type() == ElementType::UInt8;
  if (pixels && carried_preprocess(b))
    engine_b.engine = translated(std::move(engine_b.engine), feed.preprocess, preprocess_of(call, b), call.text("B"));
  const lab::Comparison result = lab::compare({{a, *engine_a.engine}}, {b, *engine_b.engine}, feed).front();
  Json json = lab::to_json(result);
  json["engine"] = engine_a.name == engine_b.name ? engine_a.name : engine_a.name + ", " + engine_b.name;
  return {json, describe(result)};
}

}  // namespace nibble::verbs
