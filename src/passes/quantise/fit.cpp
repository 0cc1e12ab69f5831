#include "passes/quantise/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "graph/op_traits.hpp"
#include "passes/quantise/cut.hpp"
#include "passes/quantise/steps.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::ValueId;

constexpr int least_bits = 2;

int bits_of_levels(int64_t levels) {
  Grid grid;
  grid.high = levels - 1;
  return grid.bits();
}

/// The network as it will stand in memory, and which of its tensors have their bits by one decision.
class Fitter {
 public:
  Fitter(Graph graph, const QuantiseOptions& options, const Budgets& budgets)
      : graph_(std::move(graph)), budgets_(budgets), work_(std::make_shared<Quantising>(Quantising{options})) {
    const auto points = place();
    table_ = memory_of(graph_);
    reasons_.resize(table_.layers.size());
    for (const StoredTensor& tensor : table_.tensors) decision_.push_back(decision_of(tensor, points));
    for (size_t t = 0; t < table_.tensors.size(); ++t)
      if (table_.tensors[t].returned && decision_[t]) free_[*decision_[t]] = false;
  }

  Fit fit() {
    const MemoryTable before = table_;
    if (budgets_.activations) cut_activations(*budgets_.activations);
    if (budgets_.weights) cut_weights(*budgets_.weights);
    table_.update_live();
    return report(before);
  }

 private:
  using Point = size_t;

  Point find(Point point) {
    while (together_[point] != point) point = together_[point];
    return point;
  }

  /// Points of one group share a grid; points of one layer share its policy.
  void decide_together() {
    together_.resize(plan_.points.size());
    std::iota(together_.begin(), together_.end(), Point{0});
    std::map<int, Point> groups;
    std::map<std::string, Point> layers;
    for (Point p = 0; p < plan_.points.size(); ++p) {
      const int group = plan_.points[p].group;
      if (group >= 0) together_[find(p)] = find(groups.try_emplace(group, p).first->second);
      if (!plan_.points[p].fixed) together_[find(p)] = find(layers.try_emplace(plan_.points[p].layer, p).first->second);
    }
  }

  /// Inputs and what has a grid of its own keep their bits.
  void find_free() {
    free_.assign(plan_.points.size(), true);
    for (Point p = 0; p < plan_.points.size(); ++p) {
      const passes::Point& point = plan_.points[p];
      const bool input = std::find(graph_.inputs.begin(), graph_.inputs.end(), point.source) != graph_.inputs.end();
      if (point.fixed || (input && point.behind < 0)) free_[find(p)] = false;
    }
  }

  /// Grids of the right levels and any scale: what stands in memory needs no data.
  std::vector<Grid> scaleless_grids() {
    std::map<Point, int64_t> levels;
    for (Point p = 0; p < plan_.points.size(); ++p)
      if (!plan_.points[p].fixed) levels[find(p)] = std::max(levels[find(p)], plan_.points[p].policy.activation_levels);
    std::vector<Grid> grids;
    for (Point p = 0; p < plan_.points.size(); ++p) {
      Grid grid;
      grid.scale = {0x1p20};
      grid.high = levels[find(p)] - 1;
      grids.push_back(plan_.points[p].fixed.value_or(grid));
    }
    return grids;
  }

  /// Which point writes which value: right behind the placing, while the plan's places hold.
  std::map<std::string, Point> written_by(const Graph& graph) const {
    std::map<std::string, Point> points;
    for (const Reading& reading : plan_.readings)
      points[graph[graph.nodes[reading.node].inputs[reading.slot]].name] = static_cast<Point>(reading.point);
    for (const auto& [output, point] : plan_.outputs)
      points[graph[graph.outputs[output]].name] = static_cast<Point>(point);
    return points;
  }

  /// Takes the network through quantise's own steps, without data; returns which point writes which value.
  std::map<std::string, Point> place() {
    Pipeline pipeline =
        steps_of_quantising(work_, layers_of(graph_), {},
                            {{"decide_levels", "Gives each quantiser its levels; changes nothing", [this](Graph&) {
                                decide_together();
                                find_free();
                                work_->grids = scaleless_grids();
                                return 0;
                              }}});
    std::map<std::string, Point> points;
    pipeline.back().run = [this, &points, place_all = pipeline.back().run](Graph& graph) {
      const int placed = place_all(graph);
      if (placed > 0) points = written_by(graph);
      return placed;
    };
    run(pipeline, graph_);
    return points;
  }

  /// The decision on a tensor's bits: its quantiser's, through what moves it.
  std::optional<Point> decision_of(const StoredTensor& tensor, const std::map<std::string, Point>& points) {
    ValueId id = tensor.value;
    const graph::Uses uses(graph_);
    while (true) {
      if (const auto found = points.find(graph_[id].name); found != points.end()) return find(found->second);
      const int writer = uses.writer[static_cast<size_t>(id)];
      if (writer < 0) return std::nullopt;
      const graph::Node& node = graph_.nodes[static_cast<size_t>(writer)];
      if (class_of(node.op) != graph::OpClass::Movement && class_of(node.op) != graph::OpClass::Concat)
        return std::nullopt;
      id = node.inputs[0];
    }
  }

  bool can_cut(size_t tensor) const {
    return decision_[tensor] && free_[*decision_[tensor]] && narrower(table_.tensors[tensor].bits);
  }

  /// The largest of the tensors whose bits can be cut.
  std::optional<size_t> largest(const std::vector<size_t>& tensors) const {
    std::optional<size_t> best;
    for (size_t tensor : tensors)
      if (can_cut(tensor) && (!best || table_.tensors[tensor].bytes() > table_.tensors[*best].bytes())) best = tensor;
    return best;
  }

  int64_t bytes_of(const MemoryLayer& layer) const { return table_.input_bytes(layer) + table_.output_bytes(layer); }

  void cut_tensor(size_t layer, size_t tensor, std::string_view side) {
    const int from = table_.tensors[tensor].bits, to = *narrower(from);
    reasons_[layer].push_back(
        fmt::format("{} {} -> {}: input + output of {} B", side, from, to, bytes_of(table_.layers[layer])));
    for (size_t t = 0; t < table_.tensors.size(); ++t)
      if (decision_[t] == decision_[tensor]) table_.tensors[t].bits = to;
  }

  /// Cuts the side of a layer (forward: its output, backward: its input) that is the larger, or the only one that can
  /// be cut, until the layer fits. Returns whether it cut.
  bool cut_side(size_t index, int64_t budget, bool forward) {
    const MemoryLayer& layer = table_.layers[index];
    bool changed = false;
    while (bytes_of(layer) > budget) {
      const auto output = largest(layer.outputs), input = largest(layer.inputs);
      const bool output_larger = table_.output_bytes(layer) >= table_.input_bytes(layer);
      const bool take_output = output && (output_larger || !input);
      if (forward ? !take_output : take_output || !input) break;
      cut_tensor(index, forward ? *output : *input, forward ? "output" : "input");
      changed = true;
    }
    return changed;
  }

  /// Algorithm 1: forward over the layers cutting outputs, backward cutting inputs, until all fit.
  void cut_activations(int64_t budget) {
    const size_t count = table_.layers.size();
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < count; ++i) changed = cut_side(i, budget, true) || changed;
      for (size_t i = count; i-- > 0;) changed = cut_side(i, budget, false) || changed;
    }
    if (table_.largest_layer() > budget) refuse_activations(budget);
  }

  [[noreturn]] void refuse_activations(int64_t budget) {
    for (size_t t = 0; t < table_.tensors.size(); ++t)
      if (decision_[t] && free_[*decision_[t]]) table_.tensors[t].bits = std::min(table_.tensors[t].bits, least_bits);
    const auto stopped = std::max_element(table_.layers.begin(), table_.layers.end(),
                                          [&](const auto& a, const auto& b) { return bytes_of(a) < bytes_of(b); });
    fail("passes", "fit",
         fmt::format("activations of {} B: layer '{}' needs {} B for its input and output at {} bits", budget,
                     stopped->name, bytes_of(*stopped), least_bits),
         fmt::format("at least {} B", bytes_of(*stopped)));
  }

  /// Algorithm 2.
  void cut_weights(int64_t budget) {
    for (const WeightCut& cut : passes::cut_weights(table_, budget))
      reasons_[cut.layer].push_back(
          fmt::format("weights {} -> {}: {} of {} B", cut.from, cut.to, cut.bytes, cut.total));
    if (table_.weight_bytes() > budget) refuse_weights(budget);
  }

  [[noreturn]] void refuse_weights(int64_t budget) const {
    const auto stopped = std::max_element(table_.layers.begin(), table_.layers.end(), [](const auto& a, const auto& b) {
      return a.weight_bytes() < b.weight_bytes();
    });
    fail("passes", "fit",
         fmt::format("weights of {} B: all layers need {} B at {} bits, most of them '{}' with {} B", budget,
                     table_.weight_bytes(), least_bits, stopped->name, stopped->weight_bytes()),
         fmt::format("at least {} B", table_.weight_bytes()));
  }

  std::vector<int> bits_of(const MemoryTable& table, const std::vector<size_t>& tensors) const {
    std::vector<int> bits;
    for (size_t tensor : tensors) bits.push_back(table.tensors[tensor].bits);
    return bits;
  }

  Fit report(const MemoryTable& before) {
    Fit fit;
    fit.budgets = budgets_;
    for (size_t i = 0; i < before.layers.size(); ++i) {
      const MemoryLayer &old = before.layers[i], &now = table_.layers[i];
      fit.layers.push_back({old.name, old.op, bits_of(before, old.inputs), bits_of(before, old.outputs),
                            bits_of(table_, now.inputs), bits_of(table_, now.outputs), old.weight_bits, now.weight_bits,
                            before.input_bytes(old) + before.output_bytes(old), bytes_of(now), old.weight_bytes(),
                            now.weight_bytes(), reasons_[i]});
      if (now.weight_bits != old.weight_bits) add_override(fit, old.name, "weights", now.weight_bits);
    }
    fit.peak = before.peak(), fit.fitted_peak = table_.peak();
    fit.weight_bytes = before.weight_bytes(), fit.fitted_weight_bytes = table_.weight_bytes();
    add_activations(fit, before);
    return fit;
  }

  void add_activations(Fit& fit, const MemoryTable& before) {
    std::map<Point, int> bits;
    for (size_t t = 0; t < table_.tensors.size(); ++t)
      if (decision_[t] && table_.tensors[t].bits != before.tensors[t].bits)
        bits[*decision_[t]] = table_.tensors[t].bits;
    for (Point p = 0; p < plan_.points.size(); ++p) {
      const auto decided = bits.find(find(p));
      if (decided != bits.end() && bits_of_levels(plan_.points[p].policy.activation_levels) > decided->second)
        add_override(fit, plan_.points[p].layer, "activations", decided->second);
    }
  }

  static void add_override(Fit& fit, const std::string& layer, const char* key, int bits) {
    const auto found = std::find_if(fit.overrides.begin(), fit.overrides.end(),
                                    [&](const auto& entry) { return entry.first == layer; });
    if (found == fit.overrides.end())
      fit.overrides.push_back({layer, Json{{key, bits}}});
    else
      found->second[key] = bits;
  }

  Graph graph_;
  Budgets budgets_;
  std::shared_ptr<Quantising> work_;
  QuantiserPlan& plan_ = work_->plan;
  std::vector<Point> together_;
  MemoryTable table_;
  std::vector<std::optional<Point>> decision_;  ///< one a tensor; none: reals, or a sum that leaves the network
  std::vector<bool> free_;                      ///< one a decision
  std::vector<std::vector<std::string>> reasons_;
};

int64_t bytes_from_text(std::string_view text, std::string_view place) {
  const std::string expected = "a whole number of B, KB (1024 B) or MB (1024 KB), as 400KB";
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const std::map<std::string_view, int64_t> units{{"B", 1}, {"KB", 1024}, {"MB", 1024 * 1024}};
  const auto found = units.find(unit);
  if (error != std::errc() || found == units.end() || number < 1 || number > (int64_t{1} << 40))
    fail("passes", place, "'" + std::string(text) + "'", expected);
  return number * found->second;
}

}  // namespace

Budgets budgets_from_text(std::string_view text, std::string_view place) {
  Budgets budgets;
  while (true) {
    const std::string_view part = text.substr(0, text.find(','));
    const size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    if (equals == std::string_view::npos || (name != "activations" && name != "weights"))
      fail("passes", place, "'" + std::string(part) + "'", "activations=BYTES, weights=BYTES or both with a comma");
    std::optional<int64_t>& budget = name == "weights" ? budgets.weights : budgets.activations;
    if (budget) fail("passes", place, "'" + std::string(name) + "' twice", "each budget once");
    budget = bytes_from_text(part.substr(equals + 1), place);
    if (part.size() == text.size()) return budgets;
    text.remove_prefix(part.size() + 1);
  }
}

Fit fit_policy(Graph graph, const QuantiseOptions& options, const Budgets& budgets) {
  return Fitter(std::move(graph), options, budgets).fit();
}

Json to_json(const Fit& fit) {
  Json layers = Json::array();
  for (const FittedLayer& layer : fit.layers) {
    Json json = {{"name", layer.name}, {"op", layer.op}};
    if (layer.weight_bits > 0) {
      json["weights"] = {layer.weight_bits, layer.fitted_weight_bits};
      json["weight_bytes"] = {layer.weight_bytes, layer.fitted_weight_bytes};
    }
    json["inputs"] = {layer.input_bits, layer.fitted_input_bits};
    json["outputs"] = {layer.output_bits, layer.fitted_output_bits};
    json["bytes"] = {layer.bytes, layer.fitted_bytes};
    json["reasons"] = layer.reasons;
    layers.push_back(std::move(json));
  }
  Json budgets = Json::object();
  if (fit.budgets.activations) budgets["activations"] = *fit.budgets.activations;
  if (fit.budgets.weights) budgets["weights"] = *fit.budgets.weights;
  return {{"budgets", std::move(budgets)},
          {"layers", std::move(layers)},
          {"peak", {fit.peak, fit.fitted_peak}},
          {"weight_bytes", {fit.weight_bytes, fit.fitted_weight_bytes}}};
}

}  // namespace nibble::passes
