#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "graph/op_traits.hpp"
#include "passes/quantise/passes.hpp"
#include "passes/rewrite.hpp"

namespace nibble::passes {
namespace {
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// Where the channels of a scaled value lie along its axis 1: each `inner` times in a row.
struct Place {
  int64_t inner = 1;
  bool operator==(const Place&) const = default;
};

/// Values whose channels can be scaled together: what linear ops write (producers), what scales with it, and the linear
/// ops that read it (consumers) and take the inverse.
struct Family {
  std::map<ValueId, Place> values;
  std::vector<size_t> producers, consumers;
  std::vector<size_t> clips;      ///< Clips at 0 and above
  ValueId input = graph::absent;  ///< a graph input in place of producers: factors stand behind it
  size_t channels = 0;
};

/// f(s x) = s f(x) for s > 0, channel by channel, the channels staying where they are.
bool scales_with_input(const Graph& graph, const Node& node) {
  const Shape &from = graph[node.inputs[0]].shape, &to = graph[node.outputs[0]].shape;
  const bool stays = from.size() == to.size() && from.size() > 1 && from[1] == to[1];
  const auto* mean = get_if<graph::ReduceMean>(&node.op);
  if (mean && std::find(mean->axes.begin(), mean->axes.end(), 1) != mean->axes.end()) return false;
  return stays && (holds_alternative<graph::Relu>(node.op) || holds_alternative<graph::LeakyRelu>(node.op) ||
                   holds_alternative<graph::MaxPool>(node.op) || holds_alternative<graph::AveragePool>(node.op) ||
                   holds_alternative<graph::GlobalAveragePool>(node.op) || holds_alternative<graph::Resize>(node.op) ||
                   (mean && !mean->axes.empty()));
}

class Search {
 public:
  Search(const Graph& graph, const graph::Uses& uses) : graph_(graph), uses_(uses) {}

  /// The family of what a linear op writes, or nothing where some of it cannot be scaled.
  std::optional<Family> family_of(size_t linear) {
    family_ = {};
    family_.channels = static_cast<size_t>(graph_[graph_.nodes[linear].outputs[0]].shape[1]);
    std::vector<ValueId> open;
    if (!join(graph_.nodes[linear].outputs[0], {}, open)) return std::nullopt;
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (!write_scaled(id, open) || !read_scaled(id, open)) return std::nullopt;
    }
    if (family_.consumers.empty()) return std::nullopt;
    return family_;
  }

  /// The family of a graph input that linear ops alone read.
  std::optional<Family> family_of_input(ValueId input) {
    const Shape& shape = graph_[input].shape;
    if (!is_real(graph_[input].type) || shape.size() < 2 || shape[1] == any ||
        uses_.is_output[static_cast<size_t>(input)])
      return std::nullopt;
    family_ = {};
    family_.input = input;
    family_.channels = static_cast<size_t>(shape[1]);
    family_.values[input] = {};
    for (int reader : uses_.readers[static_cast<size_t>(input)]) {
      const Node& node = graph_.nodes[static_cast<size_t>(reader)];
      if (!takes_factors(node) || std::count(node.inputs.begin(), node.inputs.end(), input) != 1) return std::nullopt;
      family_.consumers.push_back(static_cast<size_t>(reader));
    }
    if (family_.consumers.empty()) return std::nullopt;
    return family_;
  }

  /// A Conv or Gemm with constant weights, its channels along axis 1 of what it writes and reads.
  bool takes_factors(const Node& node) const {
    const auto* gemm = get_if<graph::Gemm>(&node.op);
    const bool usual = gemm ? gemm->transpose_b && !gemm->transpose_a && gemm->alpha == 1 && gemm->beta == 1
                            : holds_alternative<graph::Conv>(node.op);
    return usual && graph_.constant(node.inputs[1]) &&
           (node.inputs.size() < 3 || node.inputs[2] == graph::absent || graph_.constant(node.inputs[2]));
  }

 private:
  bool join(ValueId id, Place place, std::vector<ValueId>& open) {
    if (uses_.is_output[static_cast<size_t>(id)] || graph_[id].shape.size() < 2) return false;
    if (graph_[id].shape[1] != static_cast<int64_t>(family_.channels) * place.inner) return false;
    const auto [found, fresh] = family_.values.try_emplace(id, place);
    if (fresh) open.push_back(id);
    return found->second == place;
  }

  bool write_scaled(ValueId id, std::vector<ValueId>& open) {
    const int writer = uses_.writer[static_cast<size_t>(id)];
    if (writer < 0) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(writer)];
    const Place place = family_.values.at(id);
    if (takes_factors(node)) {
      family_.producers.push_back(static_cast<size_t>(writer));
      return place.inner == 1;
    }
    if (holds_alternative<graph::Add>(node.op))
      return std::all_of(node.inputs.begin(), node.inputs.end(),
                         [&](ValueId input) { return !graph_.constant(input) && join(input, place, open); });
    // What only passes on was reached from its input: a product, a reshape, a function.
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](ValueId input) { return family_.values.contains(input); });
  }

  bool read_scaled(ValueId id, std::vector<ValueId>& open) {
    const Place place = family_.values.at(id);
    for (int reader : uses_.readers[static_cast<size_t>(id)]) {
      const auto index = static_cast<size_t>(reader);
      const Node& node = graph_.nodes[index];
      const bool only_first = node.inputs[0] == id && std::count(node.inputs.begin(), node.inputs.end(), id) == 1;
      if (takes_factors(node) && only_first) {
        family_.consumers.push_back(index);
      } else if (const auto* clip = get_if<graph::Clip>(&node.op); clip && clip->low == 0 && place.inner == 1) {
        family_.clips.push_back(index);
        if (!join(node.outputs[0], place, open)) return false;
      } else if (scales_with_input(graph_, node) || holds_alternative<graph::Add>(node.op)) {
        if (!join(node.outputs[0], place, open)) return false;
      } else if (holds_alternative<graph::Mul>(node.op)) {
        const ValueId other = node.inputs[0] == id ? node.inputs[1] : node.inputs[0];
        if (other == id || graph_.constant(other) || family_.values.contains(other)) return false;
        factors_.push_back(other);
        if (!join(node.outputs[0], place, open)) return false;
      } else if (flattens(node)) {
        const int64_t inner = place.inner * graph_[node.outputs[0]].shape[1] / graph_[id].shape[1];
        if (!join(node.outputs[0], {inner}, open)) return false;
      } else {
        return false;
      }
    }
    return std::none_of(factors_.begin(), factors_.end(), [&](ValueId f) { return family_.values.contains(f); });
  }

  /// [N, C, ...] to [N, C * ...].
  bool flattens(const Node& node) const {
    if (!holds_alternative<graph::Flatten>(node.op) && !holds_alternative<graph::Reshape>(node.op)) return false;
    const Shape &from = graph_[node.inputs[0]].shape, &to = graph_[node.outputs[0]].shape;
    if (to.size() != 2 || from.size() < 2 || from[0] != to[0]) return false;
    int64_t rest = 1;
    for (size_t i = 1; i < from.size(); ++i) rest *= from[i];
    return rest == to[1];
  }

  const Graph& graph_;
  const graph::Uses& uses_;
  Family family_;
  std::vector<ValueId> factors_;
};

/// Largest size and mean square of each channel.
struct Channels {
  std::vector<double> largest, squares;
  double count = 0;

  void add(const std::vector<double>& values, int64_t inner, int64_t outer) {
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t c = i / static_cast<size_t>(inner) % static_cast<size_t>(outer);
      largest[c] = std::max(largest[c], std::abs(values[i]));
      squares[c] += values[i] * values[i];
    }
    count += static_cast<double>(values.size()) / static_cast<double>(outer);
  }
};

/// What rounding a family's integers and its consumers' weights adds to their sums, with channels times `gain`; squares
/// of a scale's twelfth are left out.
double noise_with(const Graph& graph, const Family& family, const Channels& seen, const std::vector<double>& gain,
                  const std::vector<LayerPolicy>& policies) {
  double range = 0, noise = 0;
  for (size_t c = 0; c < gain.size(); ++c) range = std::max(range, seen.largest[c] * gain[c]);
  for (size_t n = 0; n < family.consumers.size(); ++n) {
    const Node& node = graph.nodes[family.consumers[n]];
    const Tensor& weights = *graph.constant(node.inputs[1]);
    const std::vector<double> values = weights.to_reals();
    const auto* conv = get_if<graph::Conv>(&node.op);
    const size_t outputs = static_cast<size_t>(weights.shape()[0]), each = values.size() / outputs;
    const auto inputs = static_cast<size_t>(weights.shape()[1]), taps = each / inputs;
    const size_t of_group = outputs / static_cast<size_t>(conv ? conv->group : 1);
    const auto inner = static_cast<size_t>(family.values.at(node.inputs[0]).inner);
    const double x_scale = range / static_cast<double>(policies[n].activation_levels - 1);
    for (size_t o = 0; o < outputs; ++o) {
      double largest = 0, added = 0, read = 0;
      for (size_t i = 0; i < each; ++i) {
        const size_t c = (i / taps + o / of_group * inputs) / inner;
        const double weight = values[o * each + i] / gain[c];
        largest = std::max(largest, std::abs(weight));
        added += weight * weight;
        read += gain[c] * gain[c] * seen.squares[c] / seen.count;
      }
      const double w_scale = 2 * largest / static_cast<double>(policies[n].weight_levels - 2);
      noise += x_scale * x_scale * added + w_scale * w_scale * read;
    }
  }
  return noise;
}

void divide_weights(Graph& graph, size_t consumer, size_t inner, const std::vector<double>& gain) {
  Node& node = graph.nodes[consumer];
  const Tensor old = *graph.constant(node.inputs[1]);
  std::vector<double> values = old.to_reals();
  const auto* conv = get_if<graph::Conv>(&node.op);
  const size_t outputs = static_cast<size_t>(old.shape()[0]), each = values.size() / outputs;
  const auto inputs = static_cast<size_t>(old.shape()[1]), taps = each / inputs;
  const size_t of_group = outputs / static_cast<size_t>(conv ? conv->group : 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t o = i / each;
    values[i] /= gain[(i % each / taps + o / of_group * inputs) / inner];
  }
  node.inputs[1] = rewrite_constant(graph, node.inputs[1], float_tensor(old.shape(), values));
}

/// Room above what was seen, for a clip that becomes each channel's own.
constexpr double room = 1.25;
/// Of measurements in units of their own, more.
constexpr double most_gain = 1 << 10, most_gain_of_input = 1 << 24;

std::vector<double> gains(const Graph& graph, const Family& family, const Channels& seen, double part) {
  double range = *std::max_element(seen.largest.begin(), seen.largest.end());
  const bool clipped = !family.clips.empty();
  if (clipped) {
    range = std::numeric_limits<double>::infinity();
    for (size_t clip : family.clips) range = std::min(range, get<graph::Clip>(graph.nodes[clip].op).high);
  }
  std::vector<double> gain;
  for (double largest : seen.largest) {
    const double reach = largest * (clipped ? room : 1);
    const double wanted = reach > 0 ? std::pow(range / reach, part) : 1;
    // A power of two rounds nothing of what is given (factors_of_input).
    const double steps = family.input == graph::absent ? 4 : 1;
    const double most = family.input == graph::absent ? most_gain : most_gain_of_input;
    gain.push_back(std::exp2(std::floor(std::log2(std::clamp(wanted, 1.0, most)) * steps) / steps));
  }
  return gain;
}

bool is_measured(const LayerPolicy& policy) {
  return policy.enabled && policy.activation_range.method == quant::RangeMethod::Measured && policy.per_channel &&
         policy.batch_norm == BatchNorm::Fold && policy.activation_levels <= 1 << 12;
}

std::vector<Family> families_of(const Graph& graph, const Policy& policy, const std::vector<InputGrid>& given) {
  const graph::Uses uses(graph);
  std::vector<Family> families;
  std::vector<bool> taken(graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Search search(graph, uses);
    if (taken[n] || !search.takes_factors(graph.nodes[n])) continue;
    std::optional<Family> family = search.family_of(n);
    if (!family) continue;
    const auto measured = [&](size_t i) { return is_measured(policy.of(graph.nodes[i].name)); };
    for (size_t producer : family->producers) taken[producer] = true;
    if (std::all_of(family->producers.begin(), family->producers.end(), measured) &&
        std::all_of(family->consumers.begin(), family->consumers.end(), measured))
      families.push_back(std::move(*family));
  }
  for (ValueId input : graph.inputs) {
    const auto is_given = [&](const InputGrid& each) { return each.input == graph[input].name; };
    if (!is_measured(policy.of(graph[input].name)) || std::any_of(given.begin(), given.end(), is_given)) continue;
    std::optional<Family> family = Search(graph, uses).family_of_input(input);
    const auto measured = [&](size_t i) { return is_measured(policy.of(graph.nodes[i].name)); };
    if (family && std::all_of(family->consumers.begin(), family->consumers.end(), measured))
      families.push_back(std::move(*family));
  }
  return families;
}

/// The input times its factors, for all that read it.
void place_factors(Graph& graph, ValueId input, const std::vector<double>& gain) {
  const std::string name = graph[input].name;
  Shape shape(graph[input].shape.size(), 1);
  shape[1] = static_cast<int64_t>(gain.size());
  const ValueId factors = graph.add_constant(name + "_factors", float_tensor(shape, gain));
  const ValueId scaled = graph.add_value(name + "_equalised");
  graph.replace(input, scaled);
  graph.nodes.insert(graph.nodes.begin(), Node{name + "_equalised", graph::Mul{}, {input, factors}, {scaled}});
}

/// The values of a family that get a quantiser or would: what its consumers read, and what sums and pools read.
bool is_quantised(const Graph& graph, const graph::Uses& uses, ValueId id) {
  const auto& readers = uses.readers[static_cast<size_t>(id)];
  return std::any_of(readers.begin(), readers.end(), [&](int reader) {
    const graph::OpClass kind = class_of(graph.nodes[static_cast<size_t>(reader)].op);
    return kind != graph::OpClass::Clip && kind != graph::OpClass::Movement;
  });
}

}  // namespace

int equalise_channels(Graph& graph, const Policy& policy, const std::vector<InputGrid>& given,
                      const graph::EngineMaker& maker, const Batches& batches) {
  const std::vector<Family> families = families_of(graph, policy, given);
  if (families.empty()) return 0;
  const graph::Uses uses(graph);
  std::map<ValueId, std::pair<size_t, int64_t>> watched;  // family, inner extent in memory
  std::vector<Channels> seen;
  for (size_t f = 0; f < families.size(); ++f) {
    seen.push_back({std::vector<double>(families[f].channels), std::vector<double>(families[f].channels), 0});
    for (const auto& [id, place] : families[f].values)
      if (is_quantised(graph, uses, id)) watched[id] = {f, place.inner};
  }
  constexpr int64_t enough = 32;
  int64_t examples = 0;
  const auto engine = maker(graph);
  batches([&](const std::vector<Tensor>& inputs) {
    if (examples >= enough) return;
    examples += inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].shape()[0];
    engine->run(inputs, [&](ValueId id, const Tensor& tensor) {
      const auto found = watched.find(id);
      if (found == watched.end()) return;
      int64_t inner = found->second.second;
      for (size_t i = 2; i < tensor.rank(); ++i) inner *= tensor.shape()[i];
      Channels& channels = seen[found->second.first];
      channels.add(tensor.to_reals(), inner, static_cast<int64_t>(channels.largest.size()));
    });
  });
  int changed = 0;
  std::vector<std::pair<ValueId, std::vector<double>>> inputs;
  for (size_t f = 0; f < families.size(); ++f) {
    const Family& family = families[f];
    if (seen[f].count == 0 || !std::isfinite(*std::max_element(seen[f].largest.begin(), seen[f].largest.end())))
      continue;
    std::vector<LayerPolicy> policies;
    for (size_t consumer : family.consumers) policies.push_back(policy.of(graph.nodes[consumer].name));
    std::vector<double> best(family.channels, 1);
    double least = noise_with(graph, family, seen[f], best, policies);
    constexpr double worth_it = 0.9;
    least *= worth_it;
    bool found = false;
    for (double part : {0.25, 0.5, 0.75, 1.0}) {
      const std::vector<double> gain = gains(graph, family, seen[f], part);
      const double noise = noise_with(graph, family, seen[f], gain, policies);
      if (noise < least) least = noise, best = gain, found = true;
    }
    if (!found) continue;
    for (size_t producer : family.producers) scale_linear(graph, producer, best, {0.0});
    for (size_t consumer : family.consumers)
      divide_weights(graph, consumer, static_cast<size_t>(family.values.at(graph.nodes[consumer].inputs[0]).inner),
                     best);
    if (family.input != graph::absent) {
      inputs.emplace_back(family.input, best);
      ++changed;
      continue;
    }
    for (const auto& [id, place] : family.values) {
      const ValueId spare = graph.add_value(graph[id].name + "_equalised");
      graph.swap_names(id, spare);
    }
    ++changed;
  }
  // Last: the families know nodes by their places.
  for (const auto& [input, gain] : inputs) place_factors(graph, input, gain);
  return changed;
}

}  // namespace nibble::passes
