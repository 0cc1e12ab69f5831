#include "lab/runtime_engine.hpp"

#include <cstring>

#include "base/error.hpp"
#include "lower/lower.hpp"

namespace nibble::lab {
namespace {

/// In the evaluator's types.
Tensor widened(const nibble_port& port, const std::byte* bytes) {
  const ElementType type = element_of(port.type);
  Tensor tensor(is_real(type) ? ElementType::Float64 : ElementType::Int64, Shape(port.shape, port.shape + port.rank));
  with_element_type(type, [&](auto element) {
    const auto* const first = reinterpret_cast<const decltype(element)*>(bytes);
    if constexpr (std::is_integral_v<decltype(element)>)
      std::copy(first, first + tensor.size(), tensor.as<int64_t>().begin());
    else
      std::copy(first, first + tensor.size(), tensor.as<double>().begin());
  });
  return tensor;
}

/// How many examples the inputs hold, where the graph leaves that open.
int64_t batch_of(const graph::Graph& graph, const std::vector<Tensor>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = graph[graph.inputs[i]].shape;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      if (shape[axis] == any) return inputs[i].shape()[axis];
  }
  return 1;
}

/// The axis that is the batch, or -1.
int64_t batch_axis(const Shape& shape) {
  for (size_t axis = 0; axis < shape.size(); ++axis)
    if (shape[axis] == any) return static_cast<int64_t>(axis);
  return -1;
}

/// Calls f(example's bytes, whole's bytes, count) for each run of one example in the whole.
template <class F>
void each_run(const Tensor& whole, int64_t axis, int64_t example, F&& f) {
  const Shape& shape = whole.shape();
  const auto at = static_cast<size_t>(axis);
  const auto run = static_cast<size_t>(strides_of(shape)[at]) * size_of(whole.type());
  const int64_t outer = element_count(Shape(shape.begin(), shape.begin() + axis));
  for (int64_t i = 0; i < outer; ++i)
    f(static_cast<size_t>(i) * run, static_cast<size_t>(i * shape[at] + example) * run, run);
}

Tensor example_of(const Tensor& whole, int64_t axis, int64_t example) {
  if (axis < 0) return whole;
  Shape shape = whole.shape();
  shape[static_cast<size_t>(axis)] = 1;
  Tensor part(whole.type(), shape);
  each_run(whole, axis, example, [&](size_t to, size_t from, size_t count) {
    std::memcpy(part.bytes().data() + to, whole.bytes().data() + from, count);
  });
  return part;
}

/// An example's own extent along the axis may be more than 1: rows of several axes under one.
void put_example(Tensor& whole, int64_t axis, int64_t example, const Tensor& part) {
  const Shape& shape = part.shape();
  const int64_t own = shape[static_cast<size_t>(axis)];
  const auto run = static_cast<size_t>(own * strides_of(shape)[static_cast<size_t>(axis)]) * size_of(whole.type());
  const size_t outer = run == 0 ? 0 : part.bytes().size() / run,
               examples = own == 0 ? 0 : static_cast<size_t>(whole.shape()[static_cast<size_t>(axis)] / own);
  for (size_t i = 0; i < outer; ++i)
    std::memcpy(whole.bytes().data() + (i * examples + static_cast<size_t>(example)) * run,
                part.bytes().data() + i * run, run);
}

/// Values of a batch, gathered example by example.
class Gathered {
 public:
  Gathered(const graph::Graph& graph, int64_t batch) : graph_(graph), batch_(batch) {}

  void add(graph::ValueId id, int64_t example, const Tensor& part) {
    const int64_t axis = batch_axis(graph_[id].shape);
    if (axis < 0) {
      values_.insert_or_assign(id, part);
      return;
    }
    auto held = values_.find(id);
    if (held == values_.end()) {
      Shape shape = part.shape();
      shape[static_cast<size_t>(axis)] *= batch_;
      held = values_.emplace(id, Tensor(part.type(), shape)).first;
    }
    put_example(held->second, axis, example, part);
  }
  const std::map<graph::ValueId, Tensor>& values() const { return values_; }

 private:
  const graph::Graph& graph_;
  int64_t batch_;
  std::map<graph::ValueId, Tensor> values_;
};

/// Throws UserError on an integer that the network was not proved for.
void check_range(const nibble_port& port, const Tensor& integers) {
  if (is_real(integers.type())) return;
  for (int64_t q : integers.as<int64_t>())
    if (q < port.low || q > port.high)
      fail("runtime", "input '" + std::string(port.name) + "'", std::to_string(q),
           "an integer from " + std::to_string(port.low) + " to " + std::to_string(port.high));
}

lower::Options lowering_of(const RuntimeOptions& options, bool fuse) {
  lower::Options lowering;
  lowering.fuse = fuse;
  if (options.folded) {
    lowering.floats = false;
    lowering.weights = lower::Weights::Folded;
    lowering.pack = true;
    lowering.bytes = lower::Bytes::AsTheyAre;
    return lowering;
  }
  if (options.fast) return lowering;
  lowering.floats = false;
  lowering.weights = lower::Weights::Plain;
  lowering.bytes = lower::Bytes::AsTheyAre;
  return lowering;
}

/// A program that runs one example of a batch at a time.
class Runner {
 public:
  Runner(const graph::Graph& graph, LoadedProgram program) : graph_(graph), program_(std::move(program)) {}

  /// One example of the inputs; `see` is told of what the program keeps.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, int64_t example, nibble_observer see, void* user) {
    nibble_context* context = program_.context();
    for (size_t i = 0; i < inputs.size(); ++i) {
      nibble_port port;
      ensure(nibble_input(program_.program(), i, &port) == NIBBLE_OK, "a program has its graph's inputs");
      const Tensor part = example_of(inputs[i], batch_axis(graph_[graph_.inputs[i]].shape), example);
      check_range(port, part);
      ensure(nibble_set(context, i, part.cast(element_of(port.type)).bytes().data()) == NIBBLE_OK,
             "inputs in range are taken");
    }
    nibble_observe(context, see, user);
    const nibble_status status = nibble_run(context);
    if (status == NIBBLE_FAULT)
      fail("runtime", "network '" + graph_.name + "'", "a division by 0, or a value beyond a table",
           "integers that every step takes");
    if (status == NIBBLE_NO_MEMORY) throw std::bad_alloc();
    ensure(status == NIBBLE_OK, "a checked program runs");
    std::vector<Tensor> outputs;
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      nibble_port port;
      ensure(nibble_output(program_.program(), i, &port) == NIBBLE_OK, "a program has its graph's outputs");
      std::vector<std::byte> bytes(port.bytes);
      ensure(nibble_get(context, i, bytes.data()) == NIBBLE_OK, "an output can be read");
      outputs.push_back(widened(port, bytes.data()));
    }
    return outputs;
  }

 private:
  const graph::Graph& graph_;
  LoadedProgram program_;
};

LoadedProgram lowered(const graph::Graph& graph, const RuntimeOptions& options, bool fuse) {
  return LoadedProgram(program::write(lower::lower(graph, lowering_of(options, fuse))), options);
}

class Runtime : public graph::Engine {
 public:
  /// `options` of how the graph is lowered once more, node by node; without them observers see what the program keeps.
  Runtime(const graph::Graph& graph, LoadedProgram program, std::optional<RuntimeOptions> options)
      : graph_(graph), options_(std::move(options)), fused_(graph, std::move(program)) {
    for (size_t i = 0; i < graph.values.size(); ++i)
      names_.emplace(graph.values[i].name, static_cast<graph::ValueId>(i));
  }

  std::vector<Tensor> run(const std::vector<Tensor>& given, const graph::Observer& observer) override {
    const std::vector<Tensor> inputs = graph::prepare_inputs(graph_, given);
    const int64_t batch = batch_of(graph_, inputs);
    Gathered outputs(graph_, batch), seen(graph_, batch);
    for (int64_t example = 0; example < batch; ++example) {
      Watch watch{this, &seen, example};
      const bool sees = observer && !options_;
      const std::vector<Tensor> own = fused_.run(inputs, example, sees ? see : nullptr, &watch);
      for (size_t i = 0; i < own.size(); ++i) outputs.add(graph_.outputs[i], example, own[i]);
      if (observer && options_) run_whole(inputs, own, watch);
    }
    if (observer) tell(inputs, seen, observer);
    std::vector<Tensor> results;
    for (graph::ValueId id : graph_.outputs) {
      const auto found = outputs.values().find(id);
      results.push_back(found != outputs.values().end() ? found->second : nothing(id));
    }
    return results;
  }

 private:
  struct Watch {
    Runtime* self;
    Gathered* seen;
    int64_t example;
  };

  /// Runs node by node too, so that every value is seen; the outputs are the same.
  void run_whole(const std::vector<Tensor>& inputs, const std::vector<Tensor>& own, Watch& watch) {
    if (!whole_) whole_.emplace(graph_, lowered(graph_, *options_, false));
    const std::vector<Tensor> again = whole_->run(inputs, watch.example, see, &watch);
    ensure(again == own, "a program gives the integers of its nodes one by one");
  }

  void tell(const std::vector<Tensor>& inputs, const Gathered& seen, const graph::Observer& observer) const {
    for (size_t i = 0; i < inputs.size(); ++i) observer(graph_.inputs[i], inputs[i]);
    const auto tell_of = [&](graph::ValueId id) {
      if (const auto found = seen.values().find(id); found != seen.values().end()) observer(id, found->second);
    };
    for (const graph::Node& node : graph_.nodes)
      for (graph::ValueId id : node.outputs) tell_of(id);
    if (!options_)
      for (size_t i = 0; i < graph_.values.size(); ++i) tell_of(static_cast<graph::ValueId>(i));
  }

  /// A batch of no examples.
  Tensor nothing(graph::ValueId id) const {
    Shape shape = graph_[id].shape;
    for (int64_t& extent : shape)
      if (extent == any) extent = 0;
    return Tensor(is_real(graph_[id].type) ? ElementType::Float64 : ElementType::Int64, shape);
  }

  static void see(void* user, const nibble_seen* what) {
    auto* const watch = static_cast<Watch*>(user);
    const auto id = watch->self->names_.find(what->port.name);
    if (id == watch->self->names_.end()) return;
    watch->self->copied_.resize(std::max(watch->self->copied_.size(), what->port.bytes));
    nibble_copy_seen(what, watch->self->copied_.data());
    watch->seen->add(id->second, watch->example, widened(what->port, watch->self->copied_.data()));
  }

  const graph::Graph& graph_;
  std::optional<RuntimeOptions> options_;
  Runner fused_;
  std::optional<Runner> whole_;    ///< made when first observed
  std::vector<std::byte> copied_;  ///< what an observer was shown last
  std::map<std::string, graph::ValueId, std::less<>> names_;
};

}  // namespace

std::unique_ptr<graph::Engine> runtime_engine(const graph::Graph& graph, const RuntimeOptions& options) {
  return std::make_unique<Runtime>(graph, lowered(graph, options, options.fuse), options);
}

std::unique_ptr<graph::Engine> program_engine(const graph::Graph& network, LoadedProgram program) {
  return std::make_unique<Runtime>(network, std::move(program), std::nullopt);
}

}  // namespace nibble::lab
