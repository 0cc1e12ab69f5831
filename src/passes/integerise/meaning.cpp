#include "passes/integerise/meaning.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "base/channels.hpp"
#include "graph/evaluate/broadcast.hpp"
#include "graph/infer/infer.hpp"
#include "passes/canonicalise/passes.hpp"
#include "passes/integerise/passes.hpp"

namespace nibble::passes {
namespace {
using graph::absent;
using graph::Graph;
using graph::Node;
using graph::ValueId;

/// A number, or one for each index of axis 1.
ValueId constant_along(Graph& graph, const std::string& name, const std::vector<double>& numbers, size_t rank) {
  Shape shape(numbers.size() == 1 ? 0 : rank, 1);
  if (!shape.empty()) shape.at(1) = static_cast<int64_t>(numbers.size());
  return graph.add_constant(name, Tensor(std::move(shape), numbers));
}

Grid grid_along(const std::vector<double>& scale, int64_t zero) {
  Grid grid;
  grid.scale = scale;
  grid.axis = scale.size() == 1 ? -1 : 1;
  grid.zero_point = zero;
  grid.low = INT32_MIN, grid.high = INT32_MAX;
  return grid;
}

/// What is computed in reals, because integers cannot say it.
class Reals {
 public:
  explicit Reals(Propagation& p) : p_(p) {}

  /// A node on the reals that its inputs stand for.
  void carry(const Node& node) {
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(id == absent ? absent : real(id));
    const ValueId first = p_.emit(node.name, node.op, std::move(inputs), p_.from[node.outputs[0]].name);
    p_.set(node.outputs[0], RealValue{first});
    for (size_t i = 1; i < node.outputs.size(); ++i) {
      const ValueId id = p_.to.add_value(p_.from[node.outputs[i]].name);
      p_.to.nodes.back().outputs.push_back(id);
      p_.set(node.outputs[i], RealValue{id});
    }
  }

  /// What the integers of an algorithm skip, for who observes.
  void carry_pending() {
    for (const Node& node : p_.from.nodes) {
      const Carried* carried = p_.find(node.outputs[0]);
      if (carried && std::holds_alternative<Pending>(*carried)) carry(node);
    }
  }

 private:
  ValueId real(ValueId id) {
    const auto [found, fresh] = reals_.try_emplace(id, absent);
    if (fresh) found->second = made(id);
    return found->second;
  }

  ValueId made(ValueId id) {
    const graph::Value& value = p_.from[id];
    const Carried* carried = p_.find(id);
    if (!carried) return p_.to.add_constant(value.name, *value.constant);
    const std::string name = value.name + "_real";
    if (const auto* x = std::get_if<OnGrid>(carried)) return p_.emit(name, graph::Dequantise{x->grid}, {x->id}, name);
    if (const auto* x = std::get_if<RealValue>(carried)) return x->id;
    if (const auto* x = std::get_if<Index>(carried)) return x->id;
    if (const auto* x = std::get_if<Sum>(carried)) return sum(*x, name, value.shape.size());
    carry(*std::get<Pending>(*carried).function);
    return std::get<RealValue>(*p_.find(id)).id;
  }

  ValueId sum(const Sum& x, const std::string& name, size_t rank) {
    const auto term = [&](ValueId id, const std::vector<double>& scale, int64_t zero) {
      return p_.emit(name, graph::Dequantise{grid_along(scale, zero)}, {id}, name);
    };
    ValueId y = term(x.id, x.scale, x.zero);
    const auto with = [&](graph::Op op, ValueId other) { y = p_.emit(name, std::move(op), {y, other}, name); };
    const auto along = [&](const std::vector<double>& numbers) {
      return constant_along(p_.to, name + "_constant", numbers, rank);
    };
    for (const Sum::Term& other : x.others) with(graph::Add{}, term(other.id, other.scale, other.zero));
    if (x.shifted()) with(graph::Add{}, along(x.shift));
    if (x.clipped()) with(graph::Max{}, along(x.low)), with(graph::Min{}, along(x.high));
    return y;
  }

  Propagation& p_;
  std::map<ValueId, ValueId> reals_;  ///< by FQ's value
};

/// The integers of the one quantiser that reads it, or reals.
void carry_input(Propagation& p, ValueId id) {
  try {
    carry_graph_input(p, id);
  } catch (const UserError&) {
    const graph::Value& value = p.from[id];
    const ValueId real = p.to.add_value(value.name, value.type, value.shape);
    p.to.inputs.push_back(real);
    p.set(id, RealValue{real});
  }
}

void carry_or_keep(Propagation& p, Reals& reals, const Node& node) {
  const size_t before = p.to.nodes.size();
  try {
    carry(p, node);
  } catch (const UserError&) {
    const bool of_constant = holds_alternative<graph::Quantise>(node.op) && p.from.constant(node.inputs[0]);
    if (of_constant) throw;
    p.to.nodes.resize(before);
    reals.carry(node);
  }
}

/// scale (q - zero), added; a scale for each index of `axis`.
void add_term(std::span<double> reals, const Tensor& integers, const std::vector<double>& scale, int64_t zero,
              int axis = 1) {
  const ChannelOf channels(integers.shape(), scale.size() == 1 ? -1 : axis);
  with_element_type(integers.type(), [&](auto element) {
    const auto* q = reinterpret_cast<const decltype(element)*>(integers.bytes().data());
    channels.each_run(0, reals.size(), [&](size_t begin, size_t end, size_t channel) {
      const double step = scale[channel];
      for (size_t i = begin; i < end; ++i) reals[i] += step * static_cast<double>(static_cast<int64_t>(q[i]) - zero);
    });
  });
}

Tensor reals_of(const Grid& grid, const Tensor& integers) {
  Tensor reals(ElementType::Float64, integers.shape());
  add_term(reals.as<double>(), integers, grid.scale, grid.zero_point, grid.axis);
  return reals;
}

/// The same elements as the value has them: products of rows are computed as a matrix.
Tensor shaped_as(Shape shape, Tensor tensor) {
  if (tensor.rank() == shape.size()) return tensor;
  int64_t others = 1;
  for (int64_t extent : shape) others *= extent == any ? 1 : extent;
  for (int64_t& extent : shape)
    if (extent == any) extent = others == 0 ? 0 : static_cast<int64_t>(tensor.size()) / others;
  return tensor.reshaped(std::move(shape));
}

/// What a sum's integers stand for.
Tensor reals_of(const Sum& sum, const std::vector<const Tensor*>& terms) {
  Shape shape = terms[0]->shape();
  for (const Tensor* term : terms) shape = broadcast(shape, term->shape());
  Tensor sums(ElementType::Float64, shape);
  const std::span<double> reals = sums.as<double>();
  const auto stretched = [&](const Tensor& term) {
    return term.shape() == shape ? term : graph::broadcast_to<int64_t>(term.cast(ElementType::Int64), shape);
  };
  add_term(reals, stretched(*terms[0]), sum.scale, sum.zero);
  for (size_t i = 0; i < sum.others.size(); ++i)
    add_term(reals, stretched(*terms[i + 1]), sum.others[i].scale, sum.others[i].zero);
  if (sum.shifted() || sum.clipped()) {
    const size_t channels = std::max({sum.shift.size(), sum.low.size(), sum.high.size()});
    const ChannelOf channel(shape, channels == 1 ? -1 : 1);
    for (size_t i = 0; i < reals.size(); ++i) {
      const size_t c = channel(i);
      reals[i] = std::clamp(reals[i] + element(sum.shift, c), element(sum.low, c), element(sum.high, c));
    }
  }
  return sums;
}

class FakeQuantised : public graph::Engine {
 public:
  FakeQuantised(const Graph& fake, const graph::EngineMaker& maker)
      : fake_(fake), maker_(maker), meaning_(meaning_of(fake)) {
    Graph& all = meaning_.integers;
    for (ValueId id : fake.outputs)
      for (ValueId term : terms_of(carried(id)))
        if (position(all.outputs, term) == all.outputs.size()) all.outputs.push_back(term);
    std::map<ValueId, size_t> written;  // in which order; constants are not among them
    for (ValueId id : meaning_.integers.inputs) written.emplace(id, written.size() + 1);
    for (const Node& node : all.nodes)
      for (ValueId id : node.outputs) written.emplace(id, written.size() + 1);
    for (size_t id = 0; id < meaning_.values.size(); ++id)
      if (meaning_.values[id] && !is_input(static_cast<ValueId>(id))) note(static_cast<ValueId>(id), written);
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const graph::Observer& observer) override {
    std::vector<Tensor> made;
    if (observer) {
      if (!observed_by_) observed_by_ = maker_(meaning_.integers);
      made = observed(inputs, observer);
    } else {
      if (!run_by_) {
        read_ = meaning_.integers;
        graph::tidy(read_);
        run_by_ = maker_(read_);
      }
      made = run_by_->run(inputs);
    }
    std::vector<Tensor> results;
    for (ValueId id : fake_.outputs)
      results.push_back(real(id, [&](ValueId term) -> const Tensor& {
                          return made[position(meaning_.integers.outputs, term)];
                        }).cast(fake_[id].type));
    return results;
  }

 private:
  static size_t position(const std::vector<ValueId>& ids, ValueId id) {
    return static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
  }
  bool is_input(ValueId id) const { return position(fake_.inputs, id) < fake_.inputs.size(); }
  const Carried& carried(ValueId id) const {
    const auto& found = meaning_.values[static_cast<size_t>(id)];
    if (!found)
      fail("passes", "output '" + fake_[id].name + "'", "is a constant", "something computed from the inputs");
    return *found;
  }

  /// Of values that need several of the integers' values, all but the last are kept.
  void note(ValueId id, const std::map<ValueId, size_t>& written) {
    const std::vector<ValueId> terms = terms_of(carried(id));
    if (terms.empty()) return;
    const auto order = [&](ValueId term) { return written.contains(term) ? written.at(term) : 0; };
    const ValueId last =
        *std::max_element(terms.begin(), terms.end(), [&](ValueId a, ValueId b) { return order(a) < order(b); });
    if (meaning_.integers.constant(last)) return constants_.push_back(id);
    told_by_[last].push_back(id);
    for (ValueId term : terms)
      if (term != last && !meaning_.integers.constant(term)) kept_.emplace(term, Tensor());
  }

  std::vector<Tensor> observed(const std::vector<Tensor>& inputs, const graph::Observer& observer) {
    for (size_t i = 0; i < fake_.inputs.size() && i < inputs.size(); ++i)
      observer(fake_.inputs[i], is_real(inputs[i].type()) ? inputs[i].cast(ElementType::Float64) : inputs[i]);
    for (ValueId value : constants_)
      observer(value, real(value, [&](ValueId term) -> const Tensor& { return *meaning_.integers.constant(term); }));
    std::vector<Tensor> made = observed_by_->run(inputs, [&](ValueId id, const Tensor& tensor) {
      if (const auto kept = kept_.find(id); kept != kept_.end()) kept->second = tensor;
      const auto found = told_by_.find(id);
      if (found == told_by_.end()) return;
      for (ValueId value : found->second)
        observer(value,
                 real(value, [&](ValueId term) -> const Tensor& { return term == id ? tensor : kept_.at(term); }));
    });
    for (auto& [id, tensor] : kept_) tensor = {};
    return made;
  }

  template <class Find>
  Tensor real(ValueId id, Find&& find) const {
    const Carried& what = carried(id);
    std::vector<const Tensor*> terms;
    for (ValueId term : terms_of(what)) {
      const Tensor* constant = meaning_.integers.constant(term);
      terms.push_back(constant ? constant : &find(term));
    }
    ensure(!terms.empty(), "what is pending has no value of its own");
    const Shape& shape = fake_[id].shape;
    if (std::holds_alternative<RealValue>(what)) return shaped_as(shape, terms[0]->cast(ElementType::Float64));
    if (std::holds_alternative<Index>(what)) return *terms[0];
    if (const auto* x = std::get_if<OnGrid>(&what)) return reals_of(x->grid, *terms[0]);
    return shaped_as(shape, reals_of(as_declared(*sum_of(what), fake_[id]), terms));
  }

  const Graph& fake_;
  graph::EngineMaker maker_;
  Meaning meaning_;
  Graph read_;                                       ///< of run_by_: what the outputs are made of, and nothing else
  std::map<ValueId, std::vector<ValueId>> told_by_;  ///< by a value of the integers: values of FQ that it completes
  std::vector<ValueId> constants_;                   ///< values of FQ that the input does not change
  std::map<ValueId, Tensor> kept_;
  std::unique_ptr<graph::Engine> observed_by_, run_by_;
};

}  // namespace

Sum as_declared(Sum sum, const graph::Value& value) {
  if (value.grid && !value.grid->per_channel() && sum.is_scaled()) sum.scale = value.grid->scale;
  return sum;
}

namespace {

/// A node that nothing reads any more, and what its inputs were like: who observes still asks for what it gives.
struct Unread {
  Node node;
  std::vector<Shape> inputs;
};

/// As tidy does, but every value keeps its place, and what is taken out is kept.
void settle(Graph& graph, std::vector<Unread>& taken) {
  graph::sort(graph);
  graph::infer_shapes(graph);
  for (bool gone = true; gone;) {
    const graph::Uses uses(graph);
    const auto unread = [&](const Node& node) {
      return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
        return uses.readers[static_cast<size_t>(id)].empty() && !uses.is_output[static_cast<size_t>(id)];
      });
    };
    for (const Node& node : graph.nodes) {
      if (!unread(node)) continue;
      taken.push_back({node, {}});
      for (ValueId id : node.inputs) taken.back().inputs.push_back(id == absent ? Shape{} : graph[id].shape);
    }
    gone = std::erase_if(graph.nodes, unread) > 0;
  }
}

/// Puts back what gives a value of the network, its inputs in the shape that it knew.
void restore(Graph& graph, const std::vector<Unread>& taken, size_t values) {
  for (const Unread& unread : taken) {
    const bool own = std::any_of(unread.node.outputs.begin(), unread.node.outputs.end(),
                                 [&](ValueId id) { return static_cast<size_t>(id) < values; });
    if (!own) continue;
    Node node = unread.node;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == absent || graph.constant(id) || graph[id].shape.size() == unread.inputs[i].size()) continue;
      node.inputs[i] = graph.add_node(node.name + "_shape", graph::Reshape{unread.inputs[i], true}, {id});
    }
    graph.nodes.push_back(std::move(node));
  }
  graph::sort(graph);
  graph::infer_shapes(graph);
}

/// The network as integers want it. Every value keeps its place.
Graph prepared(Graph graph) {
  const size_t values = graph.values.size();
  std::vector<Unread> taken;
  for (const Step& step : prepare_fake())
    while (step.run(graph) > 0) settle(graph, taken);
  if (!taken.empty()) restore(graph, taken, values);
  return graph;
}

}  // namespace

Meaning meaning_of(const Graph& fake) {
  ensure(fake.stage == graph::Stage::FQ, "what is fake-quantised has a meaning in integers");
  const Graph turned = prepared(fake);
  Propagation p(turned);
  Reals reals(p);
  for (ValueId id : turned.inputs) carry_input(p, id);
  for (const Node& node : turned.nodes) carry_or_keep(p, reals, node);
  reals.carry_pending();
  p.to.name = fake.name;
  p.to.stage = graph::Stage::QD;
  graph::infer_shapes(p.to);
  const size_t nodes = p.to.nodes.size();
  tabulate(p.to);
  if (p.to.nodes.size() != nodes) graph::infer_shapes(p.to);
  p.carried.resize(fake.values.size());
  return {std::move(p.to), std::move(p.carried)};
}

std::unique_ptr<graph::Engine> fake_quantised_engine(const Graph& fake, const graph::EngineMaker& integers) {
  return std::make_unique<FakeQuantised>(fake, integers);
}

graph::EngineMaker exact(graph::EngineMaker engine) {
  return [engine = std::move(engine)](const Graph& graph) {
    return graph.stage == graph::Stage::FQ ? fake_quantised_engine(graph, engine) : engine(graph);
  };
}

}  // namespace nibble::passes
