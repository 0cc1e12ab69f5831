#include <algorithm>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "graph/op_traits.hpp"
#include "train/network/network.hpp"
#include "train/network/pointwise.hpp"
#include "train/network/tensors.hpp"

/// The quantisers of a network that trains: which there are, which share a grid, and what their scales decide.
namespace nibble::train {
namespace {

using namespace graph;

constexpr int64_t most_levels = 2048;

const Quantise* quantise_of(const Node& node) {
  return get_if<Quantise>(&node.op);
}

/// Ops whose inputs lie on one grid.
bool shares_grids(const Op& op) {
  const OpClass kind = class_of(op);
  return terms_of(op) == Terms::Operands || kind == OpClass::Concat || kind == OpClass::Choice;
}

/// Whether nothing but what moves levels separates a value from an output.
bool reaches_output(const Graph& graph, ValueId id) {
  if (std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end()) return true;
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& reader) {
    return !quantise_of(reader) && same_grid_input(reader.op) >= 0 &&
           std::find(reader.inputs.begin(), reader.inputs.end(), id) != reader.inputs.end() &&
           reaches_output(graph, reader.outputs[0]);
  });
}

/// By node: the quantisers whose levels an output joins though their scales differ. Heads that join such pieces must
/// join them alike, and on one zero point: what each learned would part them.
template <class QuantiserOf>
std::vector<bool> output_pieces(const Graph& graph, QuantiserOf quantiser_of) {
  std::vector<bool> pieces(graph.nodes.size());
  for (const Node& node : graph.nodes) {
    if (!holds_alternative<Concat>(node.op)) continue;
    std::vector<size_t> branches;
    for (ValueId id : node.inputs)
      if (const int by = quantiser_of(id); by >= 0) branches.push_back(static_cast<size_t>(by));
    const auto grid_of = [&](size_t n) { return quantise_of(graph.nodes[n])->grid; };
    const bool alike = std::all_of(branches.begin(), branches.end(),
                                   [&](size_t n) { return grid_of(n) == grid_of(branches.front()); });
    if (alike || !reaches_output(graph, node.outputs[0])) continue;
    for (size_t n : branches) pieces[n] = true;
  }
  return pieces;
}

/// What a whole network can train by whose grids stay.
std::string scales_stay() {
  return quant::names_of_algorithms(
      [](const quant::Algorithm& one) { return one.on_activations && one.learns.empty(); });
}

}  // namespace

int Network::quantiser_of(ValueId id) const {
  for (int by = id == absent ? -1 : writer_[static_cast<size_t>(id)]; by >= 0;) {
    const Node& node = graph_.nodes[static_cast<size_t>(by)];
    if (quantise_of(node)) return by;
    const int slot = same_grid_input(node.op);
    by = slot < 0 ? -1 : writer_[static_cast<size_t>(node.inputs[static_cast<size_t>(slot)])];
  }
  return -1;
}

Network::Accumulator Network::accumulator_of(ValueId id) const {
  const int by = writer_[static_cast<size_t>(id)];
  if (by < 0) return {};
  const Node& node = graph_.nodes[static_cast<size_t>(by)];
  if (is_linear(node.op)) return {quantiser_of(node.inputs[1]), quantiser_of(node.inputs[0])};
  const int slot = same_grid_input(node.op);
  if (slot >= 0) return accumulator_of(node.inputs[static_cast<size_t>(slot)]);
  if (!holds_alternative<Add>(node.op)) return {};
  for (ValueId input : node.inputs)
    if (const Accumulator found = accumulator_of(input); found.weights >= 0) return found;
  return {};
}

/// What a quantised constant is added to: in a linear op, or after one.
Network::Accumulator Network::accumulator_read_by(size_t node) const {
  const ValueId id = graph_.nodes[node].outputs[0];
  for (const Node& reader : graph_.nodes)
    if (std::find(reader.inputs.begin(), reader.inputs.end(), id) != reader.inputs.end())
      return accumulator_of(reader.outputs[0]);
  return {};
}

at::Tensor& Network::weights_of(size_t node) {
  return constants_[static_cast<size_t>(graph_.nodes[node].inputs[0])];
}

void Network::make_quantisers(const QuantiserRecipes& recipes, uint64_t seed) {
  quantisers_.resize(graph_.nodes.size());
  const std::vector<bool> pieces = output_pieces(graph_, [&](ValueId id) { return quantiser_of(id); });
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    const Quantise* op = quantise_of(node);
    if (!op) continue;
    const ValueId source = node.inputs[0];
    // Of activations, so many levels are refused where the quantiser is made.
    if (op->grid.levels() >= most_levels && graph_.constant(source)) {
      accumulators_[n] = accumulator_read_by(n);
      continue;
    }
    const bool weights =
        std::any_of(learned_.begin(), learned_.end(), [&](const Learned& one) { return one.id == source; });
    const bool reads_input = std::find(graph_.inputs.begin(), graph_.inputs.end(), source) != graph_.inputs.end();
    const QuantiserRecipe recipe = recipes && !pieces[n] ? recipes({node, weights, reads_input}) : QuantiserRecipe{};
    quantisers_[n] = std::make_unique<Quantiser>(node.name, *op, recipe, weights ? weights_of(n) : at::Tensor(), seed);
  }
  share_grids();
  follow_scales();
  for (Quantiser* quantiser : quantisers())
    for (const LearnedQuantity& each : quantiser->learned())
      if (std::none_of(learned_.begin(), learned_.end(),
                       [&](const Learned& one) { return one.tensor.is_same(each.tensor); }))
        learned_.push_back({absent, each.name, each.tensor, true, false, each.group});
}

void Network::share_grids() {
  // Each quantiser's group by the first of its members; what several ops join is one group.
  std::vector<size_t> group(graph_.nodes.size());
  std::iota(group.begin(), group.end(), size_t{0});
  const auto first_of = [&](size_t n) {
    while (group[n] != n) n = group[n];
    return n;
  };
  for (const Node& node : graph_.nodes) {
    if (!shares_grids(node.op)) continue;
    std::optional<size_t> first;
    for (ValueId id : node.inputs) {
      const int by = quantiser_of(id);
      if (by < 0 || !quantisers_[static_cast<size_t>(by)]) continue;
      const auto found = static_cast<size_t>(by);
      if (!first) first = found;
      if (quantise_of(graph_.nodes[found])->grid != quantise_of(graph_.nodes[*first])->grid) continue;
      const size_t one = first_of(*first), other = first_of(found);
      group[std::max(one, other)] = std::min(one, other);
    }
  }
  for (size_t n = 0; n < group.size(); ++n) {
    if (group[n] == n) continue;
    const Quantiser& first = *quantisers_[first_of(n)];
    const quant::Learning &one = first.recipe().learning, &other = quantisers_[n]->recipe().learning;
    if (one != other)
      fail("train", "quantiser '" + quantisers_[n]->name() + "'",
           "shares a grid with '" + first.name() + "' and trains by " + std::string(quant::to_string(other)) +
               ", that one by " + std::string(quant::to_string(one)) +
               (one.index() == other.index() ? " with other options" : ""),
           "one algorithm with the same options");
    quantisers_[n]->share(first);
  }
}

void Network::follow_scales() {
  const std::vector<Quantiser*> all = quantisers();
  if (std::all_of(all.begin(), all.end(), [](const Quantiser* each) { return each->keeps_grid(); })) return;
  for (const auto& [node, accumulator] : accumulators_)
    if (accumulator.weights < 0 || accumulator.x < 0)
      fail("train", "quantiser '" + graph_.nodes[node].name + "'",
           "its grid follows no quantiser that learns its scale",
           scales_stay() + " for the network, whose scales stay");
  for (const Value& value : graph_.values) {
    if (!value.grid || value.grid->levels() < most_levels) continue;
    const Accumulator found = accumulator_of(static_cast<ValueId>(&value - graph_.values.data()));
    for (int node : {found.weights, found.x})
      if (node >= 0 && quantisers_[static_cast<size_t>(node)]) quantisers_[static_cast<size_t>(node)]->shorten_scale();
  }
  for (const Quantiser* one : all)
    for (Quantiser* other : all)
      if (one->has_short_scale() && other->shares_with(*one)) other->shorten_scale();
}

std::vector<Quantiser*> Network::quantisers() const {
  std::vector<Quantiser*> all;
  for (const auto& quantiser : quantisers_)
    if (quantiser) all.push_back(quantiser.get());
  return all;
}

std::vector<PlacedQuantiser> Network::placed_quantisers() const {
  std::vector<PlacedQuantiser> all;
  for (size_t n = 0; n < quantisers_.size(); ++n) {
    if (!quantisers_[n]) continue;
    const Node& node = graph_.nodes[n];
    const ValueId x = node.inputs[0];
    all.push_back({quantisers_[n].get(), x, node.outputs[0],
                   quantisers_[n]->of_weights() ? constants_[static_cast<size_t>(x)] : at::Tensor(),
                   std::find(graph_.inputs.begin(), graph_.inputs.end(), x) != graph_.inputs.end()});
  }
  return all;
}

int64_t Network::quantisers_on() const {
  const std::vector<Quantiser*> all = quantisers();
  return std::count_if(all.begin(), all.end(), [](const Quantiser* each) { return each->on(); });
}

void Network::apply(const QuantiserSchedule& schedule, double epochs) {
  if (!schedule) return;
  for (size_t n = 0; n < quantisers_.size(); ++n) {
    Quantiser* quantiser = quantisers_[n].get();
    if (!quantiser) continue;
    const QuantiserSettings settings = schedule(quantiser->name(), epochs);
    quantiser->turn_on(settings.on);
    quantiser->freeze(settings.frozen);
    quantiser->set_annealing(settings.annealing);
    if (quantiser->of_weights()) quantiser->set_fraction(settings.fraction, weights_of(n));
  }
}

void Network::settle() {
  for (size_t n = 0; n < quantisers_.size(); ++n)
    if (quantisers_[n]) quantisers_[n]->settle(weights_of(n));
}

std::map<std::string, at::Tensor> Network::state() const {
  std::map<std::string, at::Tensor> all;
  for (const Quantiser* quantiser : quantisers()) all.merge(quantiser->state());
  return all;
}

Grid Network::grid_of(const Accumulator& accumulator, Grid grid) const {
  if (accumulator.weights < 0 || accumulator.x < 0) return grid;
  const Quantiser* weights = quantisers_[static_cast<size_t>(accumulator.weights)].get();
  const Quantiser* x = quantisers_[static_cast<size_t>(accumulator.x)].get();
  if (!weights || !x || (weights->keeps_grid() && x->keeps_grid())) return grid;
  const double product = weights->op().grid.scale[0] * x->op().grid.scale[0];
  grid.scale = {static_cast<double>(static_cast<float>(product))};
  return grid;
}

at::Tensor Network::quantise(size_t node, const at::Tensor& x, const Mode& mode, Values values) const {
  if (quantisers_[node]) return quantisers_[node]->forward(x, mode.training, mode.step, values, mode.share);
  Quantise op = *quantise_of(graph_.nodes[node]);
  if (const auto found = accumulators_.find(node); found != accumulators_.end())
    op.grid = grid_of(found->second, op.grid);
  const at::Tensor y = train::quantise(op, x.detach(), x.scalar_type(), true);
  return mode.training ? y + (x - x.detach()) : y;
}

void Network::write_learned(Graph& graph) const {
  for (const Learned& one : learned_)
    if (one.id != absent) graph[one.id].constant = from_torch(weights_read(one.id), ElementType::Float32);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    auto* op = get_if<Quantise>(&graph.nodes[n].op);
    if (!op) continue;
    if (const Quantiser* quantiser = quantisers_[n].get()) {
      *op = quantiser->op();
      const ValueId source = graph.nodes[n].inputs[0];
      if (quantiser->of_weights())
        graph[source].constant = from_torch(quantiser->hardened(weights_read(source)), ElementType::Float32);
    } else {
      op->grid = grid_of(accumulators_.at(n), op->grid);
    }
  }
  for (size_t id = 0; id < graph.values.size(); ++id) {
    std::optional<Grid>& grid = graph.values[id].grid;
    if (!grid) continue;
    const int by = quantiser_of(static_cast<ValueId>(id));
    if (grid->levels() >= most_levels && (by < 0 || !quantisers_[static_cast<size_t>(by)]))
      grid = by >= 0 ? get<Quantise>(graph.nodes[static_cast<size_t>(by)].op).grid
                     : grid_of(accumulator_of(static_cast<ValueId>(id)), *grid);
    else if (by >= 0)
      grid = get<Quantise>(graph.nodes[static_cast<size_t>(by)].op).grid;
  }
}

void Network::write_back(Graph& graph) const {
  write_learned(graph);
  if (!folded_.empty()) write_folded(graph);
}

}  // namespace nibble::train
