#include "verbs/arena_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernels/packed/packed.h"
#include "program/parameters.hpp"
#include "verbs/call.hpp"

namespace nibble::verbs {
namespace {

int64_t operations_of(const program::Program& program) {
  int64_t sum = 0;
  for (const program::Step& step : program.steps) sum += step.operations;
  return sum;
}

/// Elements that a step's tiles hold, over all parts.
template <class Parameters, class SpanOf>
int64_t moved_by(const Parameters& p, int32_t rows, int32_t r_type, int64_t r_stride, SpanOf&& height) {
  int64_t moved = 0;
  for (int32_t first = 0; first < p.out[1]; first += rows) {
    const int32_t count = std::min(rows, p.out[1] - first);
    if (nibble_is_packed(p.x_type)) moved += nibble_span_of(height(&p), first, count).count * p.x_stride[2];
    if (nibble_is_packed(p.y_type)) moved += count * p.y_stride[2];
    if (nibble_is_packed(r_type)) moved += count * r_stride;
  }
  return moved;
}

int64_t moved_by(const program::Step& step) {
  const std::vector<int64_t> block = program::parameters_of(step.kind, step.numbers);
  if (step.kind == NIBBLE_KIND_POOL)
    return moved_by(*reinterpret_cast<const nibble_pool*>(block.data()), step.rows, 0, 0, nibble_pool_height);
  const auto& p = *reinterpret_cast<const nibble_conv*>(block.data());
  return moved_by(p, step.rows, p.sum_form != 0 ? p.r_type : 0, p.r_stride[2], nibble_conv_height);
}

Json strips_json(const program::Program& program, const program::Program& whole) {
  if (whole.steps.size() == program.steps.size()) return nullptr;
  return {{"steps_more", program.steps.size() - whole.steps.size()},
          {"arena_without", codegen::footprint(whole).arena},
          {"operations", operations_of(program)},
          {"operations_without", operations_of(whole)}};
}

int64_t arena_of(const program::Program& program) {
  return program.planned ? codegen::footprint(program).arena : program.arena;
}

}  // namespace

Json packed_json(const graph::Graph& graph, const program::Program& program, lower::Options layout) {
  int64_t steps = 0, moved = 0;
  for (const program::Step& step : program.steps)
    if (step.rows > 0) ++steps, moved += moved_by(step);
  if (steps == 0) return nullptr;
  layout.pack_activations = lower::PackActivations::Never;
  return {{"steps", steps}, {"moved", moved}, {"arena_without", arena_of(lower::lower(graph, layout))}};
}

ArenaOptions arena_options(const Call& call, const codegen::Options& options) {
  ArenaOptions arena;
  if (call.takes("strips") && call.text("strips", "auto") != "auto")
    arena.strips = static_cast<int>(call.integer("strips", 0, 1, 1024));
  const std::string pack = call.text("pack", "auto");
  arena.pack = pack == "always"  ? lower::PackActivations::Always
               : pack == "never" ? lower::PackActivations::Never
                                 : lower::PackActivations::Needed;
  const auto referenced = [&](std::string_view name) {
    return call.takes(name) && call.text(name, "copied") == "referenced";
  };
  arena.inputs_outside = referenced("inputs"), arena.outputs_outside = referenced("outputs");
  if (pack == "always" && options.external_room > 0)
    fail("verbs", call.place("pack"), "packed activations with weights from outside", "--pack never, or no --external");
  return arena;
}

Json savings_json(const graph::Graph& graph, const Deployment& d, const codegen::Options& options) {
  const lower::Options layout = lowering_for(d.machine, options, d.arena);
  lower::Options whole = layout;
  whole.strips = 1;
  return {{"strips", d.arena.strips == 1 ? Json() : strips_json(d.program, lower::lower(graph, whole))},
          {"packed", packed_json(graph, d.program, layout)}};
}

std::string savings_text(const Json& savings) {
  std::string text;
  if (const Json strips = savings.value("strips", Json()); !strips.is_null()) {
    const double more = strips["operations"].get<double>() / std::max(strips["operations_without"].get<double>(), 1.0);
    text +=
        fmt::format("strips: {} steps more and {:.1f} % more multiply-accumulates, for an arena that had {} bytes\n",
                    strips["steps_more"].get<int64_t>(), 100 * (more - 1), strips["arena_without"].get<int64_t>());
  }
  if (const Json packed = savings.value("packed", Json()); !packed.is_null())
    text += fmt::format("packed: {} steps unpack and pack {} integers an inference, for an arena that had {} bytes\n",
                        packed["steps"].get<int64_t>(), packed["moved"].get<int64_t>(),
                        packed["arena_without"].get<int64_t>());
  return text;
}

}  // namespace nibble::verbs
