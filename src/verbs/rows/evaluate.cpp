#include "lab/metrics.hpp"

#include <fmt/format.h>

#include <limits>
#include <set>

#include "verbs/programs.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {
namespace {

std::string sentence(const lab::Evaluation& result, const std::string& engine) {
  const size_t groups = std::set(result.groups.begin(), result.groups.end()).size();
  const std::string rest =
      fmt::format("{} examples{}, {:.1f} s, engine {}\n", result.count,
                  groups > 1 ? fmt::format(" of {} groups, drawn whole", groups) : "", result.seconds, engine);
  if (result.metric != "top1")
    return fmt::format("{} {:.6g} (95 % interval {:.6g} to {:.6g}), {}", result.metric, result.value,
                       result.interval.low, result.interval.high, rest);
  return fmt::format("top-1 {:.2f} % (95 % interval {:.2f} to {:.2f}), top-5 {:.2f} %, {}", 100 * result.value,
                     100 * result.interval.low, 100 * result.interval.high, 100 * result.top5, rest);
}

}  // namespace

Result evaluate(const Call& call) {
  const Runnable model = runnable_of(call, "MODEL");
  const graph::Graph& graph = model.graph;
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, graph, progress, "evaluating");
  feed.limit = call.integer("limit", -1, 1, std::numeric_limits<int64_t>::max());
  const NamedEngine engine = engine_of(call, model);
  const lab::Evaluation result = lab::evaluate(graph, *engine.engine, feed);
  Json json = lab::to_json(result);
  json["engine"] = engine.name;
  return {json, sentence(result, engine.name)};
}

}  // namespace nibble::verbs
