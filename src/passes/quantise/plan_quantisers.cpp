#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <variant>

#include "base/channels.hpp"
#include "graph/foldable_norms.hpp"
#include "graph/op_traits.hpp"
#include "passes/input_factors.hpp"
#include "passes/quantise/output_pieces.hpp"
#include "passes/quantise/passes.hpp"
#include "passes/rewrite.hpp"
#include "passes/scales.hpp"
#include "passes/sums.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// What is known of a value on the way from the inputs.
struct Known {
  /// Reals that nothing explains in integers: a graph input, a function's result, a layer left in reals.
  struct Real {};
  /// Integers times one scale: an accumulator, a sum of pooled or added integers.
  struct Sum {
    int linear = -1;  ///< the linear op (index into plan.linears) whose accumulator it is
  };
  /// A sum with a mask added, for a Softmax.
  struct Masked {};
  /// An affine function of integers.
  struct Affine {};
  /// Likewise, clipped.
  struct Clipped {};
  /// On the grid of a quantiser.
  struct OnGrid {
    int root;  ///< its quantiser
  };
  /// Integers that stand for themselves: places.
  struct Index {};

  std::variant<Real, Sum, Masked, Affine, Clipped, OnGrid, Index> form{};
  std::string layer{};  ///< names the quantiser that will hold it
  bool non_negative = false;
  bool unit_range = false;  ///< provably in [0, 1]: a Softmax
  bool given = false;       ///< reals of a graph input, or of one times its factors

  template <class Form>
  bool is() const {
    return std::holds_alternative<Form>(form);
  }
};

class Planner {
 public:
  Planner(const Graph& graph, const QuantiseOptions& options)
      : graph_(graph), options_(options), known_(graph.values.size()), uses_(graph) {}

  QuantiserPlan plan() {
    for (ValueId id : graph_.inputs) at(id) = {.layer = graph_[id].name, .given = true};
    pieces_ = output_pieces(graph_, options_);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) visit(i);
    for (size_t i = 0; i < graph_.outputs.size(); ++i) visit_output(i);
    number_groups();
    for (const Product& product : products_) narrow(product);
    for (LinearPoint& linear : plan_.linears) narrow(linear);
    if (options_.trains_folded) note_gains();
    return std::move(plan_);
  }

 private:
  Known& at(ValueId id) { return known_[static_cast<size_t>(id)]; }
  const Node& node(size_t index) const { return graph_.nodes[index]; }
  bool is_activation(ValueId id) const { return id != absent && !graph_.constant(id); }

  [[noreturn]] void refuse(const Node& refused, std::string_view found, std::string_view expected) const {
    fail("passes", place_of(refused), found, expected);
  }

  /// The quantiser of a value, made on first need.
  int point_of(ValueId id) {
    if (const auto found = points_.find(id); found != points_.end()) return found->second;
    const Known& known = at(id);
    Point point;
    point.source = id;
    point.layer = known.layer;
    point.policy = options_.policy.of(known.layer);
    point.non_negative = known.non_negative;
    point.given = known.given && known.is<Known::Real>();
    if (known.unit_range)
      point.fixed = Grid{{float_product(1, 1.0 / static_cast<double>(point.policy.activation_levels - 1))},
                         -1,
                         0,
                         0,
                         point.policy.activation_levels - 1};
    for (const InputGrid& input : options_.inputs)
      if (input.input == graph_[id].name) point.fixed = input.grid;
    plan_.points.push_back(std::move(point));
    parent_.push_back(static_cast<int>(parent_.size()));
    return points_[id] = static_cast<int>(plan_.points.size()) - 1;
  }

  /// The quantiser of a constant that meets activations as one of them.
  int point_of_constant(ValueId id, const std::string& reader) {
    Known& known = at(id);
    known.layer = graph_[id].name;
    const std::vector<double> values = graph_.constant(id)->to_reals();
    known.non_negative = std::all_of(values.begin(), values.end(), [](double x) { return x >= 0; });
    const bool first = !points_.contains(id);
    const int point = point_of(id);
    if (first) plan_.points.back().policy = options_.policy.of(reader);
    return point;
  }

  /// Makes input `slot` of a node read integers; returns their quantiser, -1 where they are an index.
  int need_grid(size_t index, size_t slot) {
    const ValueId id = node(index).inputs[slot];
    if (graph_.constant(id)) {
      plan_.readings.push_back({index, slot, point_of_constant(id, node(index).name)});
      return plan_.readings.back().point;
    }
    if (at(id).is<Known::Index>()) return -1;
    if (const auto* grid = std::get_if<Known::OnGrid>(&at(id).form)) return grid->root;
    const int point = point_of(id);
    plan_.readings.push_back({index, slot, point});
    return point;
  }

  /// As need_grid, on a grid that others share: a grid that is given cannot give way and gets a quantiser behind it.
  int need_shared_grid(size_t index, size_t slot) {
    const ValueId id = node(index).inputs[slot];
    if (graph_.constant(id)) return need_grid(index, slot);
    if (at(id).is<Known::Index>())
      refuse(node(index), "joins '" + graph_[id].name + "', a place, with numbers", "numbers alone");
    const auto* on_grid = std::get_if<Known::OnGrid>(&at(id).form);
    const int root = on_grid ? on_grid->root : point_of(id);
    const bool given = plan_.points[static_cast<size_t>(root)].fixed.has_value();
    if (on_grid && !given) return root;
    const int point = !given ? root : on_grid ? point_of(id) : point_behind(id, root);
    plan_.readings.push_back({index, slot, point});
    return point;
  }

  /// A given grid on a value that is read directly: the readers that share one need a second quantiser of the same
  /// reals.
  int point_behind(ValueId id, int given) {
    if (const auto found = behind_.find(id); found != behind_.end()) return found->second;
    Point point = plan_.points[static_cast<size_t>(given)];
    point.fixed.reset();
    point.behind = given;
    plan_.points.push_back(std::move(point));
    parent_.push_back(static_cast<int>(parent_.size()));
    return behind_[id] = static_cast<int>(plan_.points.size()) - 1;
  }

  /// As need_grid, by a quantiser of its own: what divides is never 0, whatever others read.
  void need_divisor(size_t index, size_t slot) {
    const ValueId id = node(index).inputs[slot];
    if (graph_.constant(id) || at(id).is<Known::Index>()) return void(need_grid(index, slot));
    const auto [found, is_new] = divisors_.try_emplace(id, static_cast<int>(plan_.points.size()));
    if (is_new) {
      const auto* on_grid = std::get_if<Known::OnGrid>(&at(id).form);
      const bool input = std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
      const int behind = on_grid ? on_grid->root : input ? point_of(id) : -1;
      found->second = static_cast<int>(plan_.points.size());
      Point point;
      point.source = id;
      point.layer = at(id).layer + "_divisor";
      point.policy = options_.policy.of(at(id).layer);
      point.non_negative = at(id).non_negative;
      point.behind = behind;
      point.divides = true;
      plan_.points.push_back(std::move(point));
      parent_.push_back(static_cast<int>(parent_.size()));
    }
    plan_.readings.push_back({index, slot, found->second});
  }

  /// Puts all inputs of a node on one grid; returns one of its quantisers.
  int harmonise(size_t index) {
    if (const int common = given_grid(index); common >= 0) return common;
    std::vector<int> points;
    for (size_t slot = 0; slot < node(index).inputs.size(); ++slot) points.push_back(need_shared_grid(index, slot));
    share(points);
    plan_.harmonised.push_back({index, points});
    return points[0];
  }
  /// The given grid of each input of a node; none where some input has none.
  std::vector<Grid> given_grids(size_t index) {
    std::vector<Grid> grids;
    for (ValueId id : node(index).inputs) {
      const auto* on_grid = graph_.constant(id) ? nullptr : std::get_if<Known::OnGrid>(&at(id).form);
      const auto* grid = on_grid ? &plan_.points[static_cast<size_t>(on_grid->root)].fixed : nullptr;
      if (!grid || !*grid) return {};
      grids.push_back(**grid);
    }
    return grids;
  }
  /// A point of the one given grid that all inputs of a node lie on, of which all pieces are alike; -1 where there is
  /// none.
  int given_grid(size_t index) {
    const std::vector<Grid> grids = given_grids(index);
    if (grids.empty()) return -1;
    const auto root_of = [&](ValueId id) { return std::get<Known::OnGrid>(at(id).form).root; };
    const std::vector<ValueId>& inputs = node(index).inputs;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (grids[i] != grids[0] || pieces_on(root_of(inputs[i])) != pieces_on(root_of(inputs[0]))) return -1;
    return root_of(inputs[0]);
  }
  /// What is joined on given grids of its own, where the point stands for all of it; else none.
  std::vector<Grid> pieces_on(int root) const {
    const auto found = joined_.find(root);
    return found == joined_.end() ? std::vector<Grid>{} : found->second;
  }
  void share(const std::vector<int>& points) {
    for (int point : points) parent_[static_cast<size_t>(find(point))] = find(points.front());
    if (points.size() > 1) shared_.push_back(points.front());
  }
  int find(int point) {
    while (parent_[static_cast<size_t>(point)] != point) point = parent_[static_cast<size_t>(point)];
    return point;
  }
  void number_groups() {
    std::vector<bool> in_group(plan_.points.size());
    for (int point : shared_) in_group[static_cast<size_t>(find(point))] = true;
    for (size_t i = 0; i < plan_.points.size(); ++i) {
      const int root = find(static_cast<int>(i));
      if (in_group[static_cast<size_t>(root)]) plan_.points[i].group = root;
    }
  }

  /// The quantiser of a constant that writes the value, or nullptr.
  const graph::Quantise* quantised_constant(ValueId id) const {
    const int writer = id == absent ? -1 : uses_.writer[static_cast<size_t>(id)];
    if (writer < 0 || !graph_.constant(node(static_cast<size_t>(writer)).inputs[0])) return nullptr;
    return get_if<graph::Quantise>(&node(static_cast<size_t>(writer)).op);
  }

  /// A quantiser that the network has already keeps its grid.
  void visit_kept(size_t index) {
    const Node& kept = node(index);
    const auto* op = get_if<graph::Quantise>(&kept.op);
    if (!op) refuse(kept, "is of a quantised network", "a network in full precision, or quantisers in one");
    if (op->grid.per_channel()) {
      if (quantised_constant(kept.outputs[0])) return;  // weights, which their linear op asks for
      refuse(kept, "has a scale for each channel of an activation", "one for the tensor");
    }
    Point point;
    point.source = kept.inputs[0];
    point.layer = kept.name;
    point.policy = options_.policy.of(kept.name);
    point.non_negative = op->grid.low >= op->grid.zero_point;
    point.fixed = op->grid;
    point.kept = kept.outputs[0];
    at(kept.outputs[0]) = {.form = Known::OnGrid{static_cast<int>(plan_.points.size())},
                           .layer = kept.name,
                           .non_negative = point.non_negative};
    plan_.points.push_back(std::move(point));
    parent_.push_back(static_cast<int>(parent_.size()));
  }

  void visit(size_t index) {
    const Node& visited = node(index);
    const bool keeps = class_of(visited.op) == graph::OpClass::Quantiser;
    if (!keeps &&
        std::none_of(visited.inputs.begin(), visited.inputs.end(), [&](ValueId id) { return is_activation(id); }))
      return;  // of constants only: what folding left (a quantiser of weights)
    if (!options_.policy.of(visited.name).enabled) return leave_real(visited);
    switch (class_of(visited.op)) {
      case graph::OpClass::Linear: return visit_linear(index);
      case graph::OpClass::Affine: return visit_affine(index, visited.inputs[0], 0);
      case graph::OpClass::Arithmetic: return visit_arithmetic(index);
      case graph::OpClass::Clip: return visit_clip(index);
      case graph::OpClass::Mean: return visit_mean(index);
      case graph::OpClass::Movement: return visit_movement(index);
      case graph::OpClass::Concat: return visit_concat(index);
      case graph::OpClass::Function:
      case graph::OpClass::Algorithm: return visit_function(index);
      case graph::OpClass::Choice: return visit_choice(index);
      case graph::OpClass::Index: return visit_index(index);
      case graph::OpClass::Quantiser: return visit_kept(index);
      case graph::OpClass::Integer: refuse(visited, "is of a quantised network", "a network in full precision");
      case graph::OpClass::Refused: refuse_op(visited);
    }
  }

  [[noreturn]] void refuse_op(const Node& refused) const {
    const bool last = std::any_of(refused.outputs.begin(), refused.outputs.end(),
                                  [&](ValueId id) { return uses_.is_output[static_cast<size_t>(id)]; });
    if (holds_alternative<graph::LogSoftmax>(refused.op) && last)
      refuse(refused, "has no integer form",
             "the network without it: the largest of its inputs decides the class just as well");
    refuse(refused, "has no integer form",
           "another op, or {\"enabled\": false} for this layer in the policy, which leaves it in reals");
  }

  void leave_real(const Node& left) {
    for (ValueId id : left.outputs) at(id).layer = left.name;
  }

  void visit_linear(size_t index) {
    const Node& linear = node(index);
    if (!is_activation(linear.inputs[0]))
      refuse(linear, "has a constant before its activation", "the activation first");
    const int point = need_grid(index, 0);
    Known::Sum sum;
    const graph::Quantise* kept = quantised_constant(linear.inputs[1]);
    if (kept || graph_.constant(linear.inputs[1])) {
      sum.linear = static_cast<int>(plan_.linears.size());
      plan_.linears.push_back({index, 1, point, false, options_.policy.of(linear.name), {}, {}, {}});
      if (kept) plan_.linears.back().kept = kept->grid;
      const ValueId bias = linear.inputs.size() > 2 ? linear.inputs[2] : absent;
      if (bias != absent && !graph_.constant(bias) && !quantised_constant(bias))
        refuse(linear, "has a bias that is computed", "a constant bias");
    } else if (holds_alternative<graph::MatMul>(linear.op)) {
      need_grid(index, 1);
    } else {
      refuse(linear, "has weights that are computed", "constant weights, or a MatMul");
    }
    at(linear.outputs[0]) = {.form = sum, .layer = linear.name};
  }

  /// An affine function of what `x` (input `slot`) is an affine function of. A clip before it would not be one interval
  /// for all channels, so that gets its quantiser first.
  void visit_affine(size_t index, ValueId x, size_t slot) {
    if (holds_alternative<graph::BatchNormalization>(node(index).op) && !affine_of_batch_norm(graph_, node(index)))
      refuse(node(index), "has parameters that are computed", "constant parameters");
    Known result{.form = Known::Affine{}, .layer = node(index).name};
    if (at(x).is<Known::Sum>() || at(x).is<Known::Masked>() || at(x).is<Known::Affine>())
      result.layer = at(x).layer;
    else
      need_grid(index, slot);
    at(node(index).outputs[0]) = result;
  }

  void visit_arithmetic(size_t index) {
    const Node& visited = node(index);
    if (const auto affine = affine_of_arithmetic(graph_, visited)) {
      if (takes_factors(affine->x)) return void(at(visited.outputs[0]) = at(affine->x));
      return visit_affine(index, affine->x, visited.inputs[0] == affine->x ? 0 : 1);
    }
    if (visit_addend(index)) return;
    Known result{.form = Known::Sum{}, .layer = visited.name};
    if (holds_alternative<graph::Div>(visited.op)) {
      need_grid(index, 0), need_divisor(index, 1);
      result.form = Known::Real{};
    } else if (holds_alternative<graph::Mul>(visited.op)) {
      products_.push_back({index, {need_grid(index, 0), need_grid(index, 1)}});
    } else if (options_.policy.of(visited.name).branches != Branches::Own) {
      harmonise(index);
    } else {
      // Branches on grids of their own add up only in the quantiser after them.
      for (size_t slot = 0; slot < visited.inputs.size(); ++slot) need_grid(index, slot);
      result.form = Known::Affine{};
    }
    const bool square = holds_alternative<graph::Mul>(visited.op) && visited.inputs[0] == visited.inputs[1];
    result.non_negative = square || (!holds_alternative<graph::Sub>(visited.op) &&
                                     std::all_of(visited.inputs.begin(), visited.inputs.end(),
                                                 [&](ValueId id) { return at(id).non_negative; }));
    at(visited.outputs[0]) = result;
  }

  /// An input whose quantiser stands behind its factors; where its grid is given, it stands before them.
  bool takes_factors(ValueId id) const {
    const bool given = std::any_of(options_.inputs.begin(), options_.inputs.end(),
                                   [&](const InputGrid& input) { return input.input == graph_[id].name; });
    return !given && factors_of_input(graph_, uses_, id);
  }

  /// An Add of a constant that needs no grid of its own: the bias of a sum, the mask before a Softmax.
  bool visit_addend(size_t index) {
    const Node& added = node(index);
    if (!holds_alternative<graph::Add>(added.op)) return false;
    const size_t slot = graph_.constant(added.inputs[0]) ? 0 : 1;
    const ValueId x = added.inputs[1 - slot];
    if (!graph_.constant(added.inputs[slot])) return false;
    Known result = at(x);
    const auto* sum = std::get_if<Known::Sum>(&result.form);
    if (is_mask(index, *graph_.constant(added.inputs[slot]))) {
      const int point = need_grid(index, 1 - slot);
      plan_.addends.push_back({index, slot, -1, point});
      result = {.form = Known::Masked{}};
    } else if (sum && sum->linear >= 0 &&
               holds_alternative<graph::MatMul>(node(plan_.linears[static_cast<size_t>(sum->linear)].node).op)) {
      plan_.addends.push_back({index, slot, sum->linear, -1});
    } else {
      return false;
    }
    result.layer = added.name;
    at(added.outputs[0]) = result;
    return true;
  }

  /// Zeros, and numbers that leave nothing of an exponential, before Softmaxes alone.
  bool is_mask(size_t index, const Tensor& constant) const {
    constexpr double nothing_left = -1000;
    const std::vector<double> values = constant.to_reals();
    const auto& readers = uses_.readers[static_cast<size_t>(node(index).outputs[0])];
    return std::all_of(values.begin(), values.end(), [](double x) { return x == 0 || x <= nothing_left; }) &&
           std::all_of(readers.begin(), readers.end(), [&](int reader) {
             return holds_alternative<graph::Softmax>(node(static_cast<size_t>(reader)).op);
           });
  }

  void visit_choice(size_t index) {
    const Node& chosen = node(index);
    const size_t first = holds_alternative<graph::Where>(chosen.op) ? 1 : 0;
    if (first == 1 && !graph_.constant(chosen.inputs[0]))
      refuse(chosen, "chooses by what is computed", "a constant condition");
    const std::vector<int> points{need_shared_grid(index, first), need_shared_grid(index, first + 1)};
    share(points);
    at(chosen.outputs[0]) = {
        .form = Known::OnGrid{points[0]},
        .layer = chosen.name,
        .non_negative = at(chosen.inputs[first]).non_negative && at(chosen.inputs[first + 1]).non_negative};
  }

  /// Integers compare as they are: a sum needs no quantiser, but one scale.
  void visit_index(size_t index) {
    if (const auto* sum = std::get_if<Known::Sum>(&at(node(index).inputs[0]).form))
      settle_sum(*sum);
    else
      need_grid(index, 0);
    at(node(index).outputs[0]) = {.form = Known::Index{}, .layer = node(index).name};
  }

  void visit_clip(size_t index) {
    const ValueId x = node(index).inputs[0];
    Known result{.form = Known::Clipped{}, .layer = at(x).layer};
    result.non_negative = never_negative(node(index).op) || at(x).non_negative;
    if (at(x).is<Known::Real>() || at(x).is<Known::OnGrid>() || at(x).is<Known::Index>()) {
      need_grid(index, 0);
      result.layer = node(index).name;
    }
    at(node(index).outputs[0]) = result;
  }

  void visit_mean(size_t index) {
    const ValueId x = node(index).inputs[0];
    need_grid(index, 0);
    at(node(index).outputs[0]) = {.form = Known::Sum{}, .layer = node(index).name, .non_negative = at(x).non_negative};
  }

  void visit_movement(size_t index) {
    const Node& moved = node(index);
    const ValueId x = moved.inputs[0];
    if (!is_activation(x)) return visit_embedding(index);
    if (holds_alternative<graph::Gather>(moved.op) && is_activation(moved.inputs[1]))
      refuse(moved, "picks by indices that are computed", "constant indices");
    const auto* pad = get_if<graph::Pad>(&moved.op);
    if (pad && pad->mode == graph::PadMode::Constant && pad->value != 0) {
      // A number that the grid of x need not hold: the quantiser right after it covers both.
      need_grid(index, 0);
      at(moved.outputs[0]) = {.layer = moved.name, .non_negative = at(x).non_negative && pad->value > 0};
      return;
    }
    Known result = at(x);
    const bool stays = (result.is<Known::Sum>() && moves_a_sum_out(graph_, uses_, moved)) || result.is<Known::Index>();
    if (!stays) result.form = Known::OnGrid{need_grid(index, 0)};
    result.layer = moved.name;
    for (ValueId id : moved.outputs) at(id) = result;
  }

  /// A row of a constant table for each index: the table has the quantiser.
  void visit_embedding(size_t index) {
    const Node& looked_up = node(index);
    const ValueId indices = looked_up.inputs[1];
    if (std::find(graph_.inputs.begin(), graph_.inputs.end(), indices) == graph_.inputs.end())
      refuse(looked_up, "picks from a constant by what is computed", "constant indices, or a graph input of integers");
    const int point = need_grid(index, 0);
    at(looked_up.outputs[0]) = {
        .form = Known::OnGrid{point}, .layer = looked_up.name, .non_negative = at(looked_up.inputs[0]).non_negative};
  }

  void visit_concat(size_t index) {
    const Node& joined = node(index);
    bool non_negative = true;
    for (ValueId id : joined.inputs) non_negative = non_negative && at(id).non_negative;
    Known result{.layer = joined.name, .non_negative = non_negative};
    if (const std::vector<Grid> given = given_grids(index); pieces_.contains(index) && !given.empty()) {
      const int root = std::get<Known::OnGrid>(at(joined.inputs[0]).form).root;
      joined_[root] = given;
      result.form = Known::OnGrid{root};
    } else if (options_.policy.of(joined.name).branches != Branches::Own) {
      result.form = Known::OnGrid{harmonise(index)};
      if (pieces_.contains(index))
        for (size_t slot = 0; slot < joined.inputs.size(); ++slot)
          plan_.points[static_cast<size_t>(plan_.harmonised.back().points[slot])].piece = static_cast<int>(slot);
    } else {
      // The quantiser right after it requantises each branch.
      for (size_t slot = 0; slot < joined.inputs.size(); ++slot) need_grid(index, slot);
    }
    at(joined.outputs[0]) = result;
  }

  void visit_function(size_t index) {
    check_parameters(node(index));
    // Only differences count for a Softmax: a masked sum of one scale is as good as a grid.
    const bool softmax = holds_alternative<graph::Softmax>(node(index).op);
    const bool masked = softmax && at(node(index).inputs[0]).is<Known::Masked>();
    const int point = masked ? -1 : need_grid(index, 0);
    if (point >= 0 && is_rooted(node(index))) plan_.points[static_cast<size_t>(point)].rooted = true;
    at(node(index).outputs[0]) = {
        .layer = node(index).name, .non_negative = never_negative(node(index).op), .unit_range = softmax};
  }

  /// What has no value below zero.
  bool is_rooted(const Node& function) const {
    if (holds_alternative<graph::Sqrt>(function.op) || holds_alternative<graph::Log>(function.op)) return true;
    if (!holds_alternative<graph::Pow>(function.op)) return false;
    const std::vector<double> exponents = graph_.constant(function.inputs[1])->to_reals();
    return std::any_of(exponents.begin(), exponents.end(), [](double x) { return x != std::floor(x); });
  }

  /// A function's second input (an exponent, slopes) is constant.
  void check_parameters(const Node& function) const {
    if (class_of(function.op) != graph::OpClass::Function) return;
    for (size_t slot = 1; slot < function.inputs.size(); ++slot)
      if (!graph_.constant(function.inputs[slot])) refuse_op(function);
  }

  void visit_output(size_t index) {
    const ValueId id = graph_.outputs[index];
    const Known& known = at(id);
    if (known.is<Known::OnGrid>() || known.is<Known::Index>() || known.is<Known::Masked>()) return;
    if (const auto* sum = std::get_if<Known::Sum>(&known.form)) return settle_sum(*sum);
    const int writer = uses_.writer[static_cast<size_t>(id)];
    if (writer >= 0 && !options_.policy.of(node(static_cast<size_t>(writer)).name).enabled) return;
    plan_.outputs.emplace_back(index, point_of(id));
  }

  // ---- what 32 bits of an accumulator leave ---------------------------------------------------------------------------

  struct Product {
    size_t node;
    std::array<int, 2> points;
  };

  int64_t& levels_of(int point) { return plan_.points[static_cast<size_t>(point)].policy.activation_levels; }

  /// That hold integers of that magnitude and their sign.
  static int signed_bits(double magnitude) { return 1 + static_cast<int>(std::ceil(std::log2(magnitude + 1))); }

  /// Half as many levels for a quantiser and those that share its grid. False where its grid is given, or has eight
  /// bits already.
  bool halve(int point, size_t node, int bits) {
    constexpr int64_t fewest = 256;
    const int group = plan_.points[static_cast<size_t>(point)].group;
    std::vector<int> together;
    for (int p = 0; p < static_cast<int>(plan_.points.size()); ++p)
      if (p == point || (group >= 0 && plan_.points[static_cast<size_t>(p)].group == group)) together.push_back(p);
    for (int p : together)
      if (plan_.points[static_cast<size_t>(p)].fixed || levels_of(p) / 2 < fewest) return false;
    for (int p : together) {
      levels_of(p) /= 2;
      note_narrowed(plan_.points[static_cast<size_t>(p)].layer, "activations", levels_of(p), node, bits);
    }
    return true;
  }

  void note_narrowed(const std::string& layer, const char* what, int64_t levels, size_t reason, int bits) {
    for (Narrowed& narrowed : plan_.narrowed)
      if (narrowed.layer == layer && narrowed.what == what) {
        narrowed.levels = levels;
        return;
      }
    plan_.narrowed.push_back({layer, what, levels, node(reason).name, bits});
  }

  /// A product of two activations has as many levels as both.
  void narrow(const Product& product) {
    const int a = product.points[0], b = product.points[1];
    if (a < 0 || b < 0) return;
    const auto reach = [&] { return static_cast<double>(levels_of(a)) * static_cast<double>(levels_of(b)); };
    const int bits = signed_bits(reach());
    while (reach() > 0x1p31)
      if (!halve(levels_of(b) >= levels_of(a) ? b : a, product.node, bits) && !halve(a, product.node, bits)) return;
  }

  /// Sums of weights by activations: the wider of both gives way, a tie at the activations.
  void narrow(LinearPoint& linear) {
    // Weights that came with their quantiser stay.
    if (linear.point < 0 || linear.kept) return;
    const double weight = largest_sum(linear);
    const auto reach = [&] {
      const Point& point = plan_.points[static_cast<size_t>(linear.point)];
      const auto levels = point.fixed ? point.fixed->levels() : point.policy.activation_levels;
      const int64_t largest = linear.policy.weight_levels / 2;
      return weight * static_cast<double>(largest) * static_cast<double>(levels - 1);
    };
    const int bits = signed_bits(reach());
    while (reach() > most_of_a_sum) {
      if (levels_of(linear.point) >= linear.policy.weight_levels && halve(linear.point, linear.node, bits)) continue;
      if (linear.policy.weight_levels / 2 < 256) return;
      linear.policy.weight_levels /= 2;
      note_narrowed(node(linear.node).name, "weights", linear.policy.weight_levels, linear.node, bits);
    }
  }

  /// Of an output's weights as parts of the largest that shares their scale.
  double largest_sum(const LinearPoint& linear) const {
    const Node& op = node(linear.node);
    const Tensor& weights = *graph_.constant(op.inputs[linear.slot]);
    const bool columns = holds_alternative<graph::MatMul>(op.op) || holds_alternative<graph::ConvTranspose>(op.op);
    const ChannelOf channel(weights.shape(), columns ? static_cast<int64_t>(weights.rank()) - 1 : 0);
    std::vector<double> sums(channel.count()), largest(channel.count());
    const std::vector<double> values = weights.to_reals();
    double all = 0, most = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      sums[channel(i)] += std::abs(values[i]);
      largest[channel(i)] = std::max(largest[channel(i)], std::abs(values[i]));
      all = std::max(all, std::abs(values[i]));
    }
    const bool per_channel = linear.policy.per_channel && !linear.writes_output && !columns;
    for (size_t c = 0; c < sums.size(); ++c)
      if (largest[c] > 0) most = std::max(most, sums[c] / (per_channel ? largest[c] : all));
    return most;
  }

  void note_gains() {
    for (const graph::FoldableNorm& norm : graph::foldable_norms(graph_))
      for (LinearPoint& linear : plan_.linears)
        if (linear.node == norm.linear) linear.gain = graph::folding_gain(graph_, norm);
  }

  /// A sum that stays one: its linear op has one weight scale.
  void settle_sum(const Known::Sum& sum) {
    if (sum.linear < 0) return;
    LinearPoint& linear = plan_.linears[static_cast<size_t>(sum.linear)];
    linear.writes_output = true;
    if (linear.point >= 0) plan_.points[static_cast<size_t>(linear.point)].feeds_output_layer = true;
  }

  const Graph& graph_;
  const QuantiseOptions& options_;
  std::vector<Known> known_;
  graph::Uses uses_;
  QuantiserPlan plan_;
  std::map<ValueId, int> points_;
  std::set<size_t> pieces_;                  ///< Concats whose branches have scales of their own
  std::map<int, std::vector<Grid>> joined_;  ///< of the point of a first piece: the given grids of all
  std::map<ValueId, int> behind_;
  std::map<ValueId, int> divisors_;
  std::vector<int> parent_;
  std::vector<int> shared_;
  std::vector<Product> products_;
};

}  // namespace

QuantiserPlan plan_quantisers(const Graph& graph, const QuantiseOptions& options) {
  return Planner(graph, options).plan();
}

}  // namespace nibble::passes
