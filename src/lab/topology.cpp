#include <array>
#include <cmath>
#include <string>

#include "base/error.hpp"
#include "base/random.hpp"
#include "graph/verify.hpp"
#include "lab/experiment.hpp"

namespace nibble::lab {
namespace {

using graph::Graph;
using graph::ValueId;

/// Puts layers one after the other; weights are drawn by He's rule, batch-norms start as the identity.
class Builder {
 public:
  Builder(Graph& graph, uint64_t seed) : graph_(graph), random_(seed) {}

  ValueId input(Shape shape) {
    const ValueId id = graph_.add_value("input", ElementType::Float32, std::move(shape));
    graph_.inputs.push_back(id);
    return id;
  }

  ValueId conv(const std::string& name, ValueId x, int64_t from, int64_t to, int64_t kernel, int64_t stride,
               int64_t group = 1) {
    graph::Conv op;
    op.strides = {stride, stride};
    op.dilations = {1, 1};
    op.pads.assign(4, kernel / 2);
    op.group = group;
    const int64_t fan_in = from / group * kernel * kernel;
    const ValueId weights = drawn(name + ".weight", {to, from / group, kernel, kernel}, fan_in);
    return graph_.add_node(name, op, {x, weights});
  }

  ValueId batch_norm(const std::string& name, ValueId x, int64_t channels) {
    const auto filled = [&](const char* part, float value) {
      return graph_.add_constant(name + part, Tensor({channels}, std::vector<float>(channels, value)));
    };
    const ValueId scale = filled(".weight", 1), bias = filled(".bias", 0);
    const ValueId mean = filled(".mean", 0), variance = filled(".variance", 1);
    return graph_.add_node(name, graph::BatchNormalization{}, {x, scale, bias, mean, variance});
  }

  ValueId conv_bn_relu(const std::string& name, ValueId x, int64_t from, int64_t to, int64_t stride = 1) {
    return relu(name + "_relu", batch_norm(name + "_bn", conv(name, x, from, to, 3, stride), to));
  }

  ValueId relu(const std::string& name, ValueId x) { return graph_.add_node(name, graph::Relu{}, {x}); }

  ValueId max_pool(const std::string& name, ValueId x, int64_t kernel) {
    graph::MaxPool op;
    op.kernel = op.strides = {kernel, kernel};
    op.pads.assign(4, 0);
    op.dilations = {1, 1};
    return graph_.add_node(name, op, {x});
  }

  ValueId flatten(const std::string& name, ValueId x) { return graph_.add_node(name, graph::Flatten{}, {x}); }

  ValueId fully_connected(const std::string& name, ValueId x, int64_t from, int64_t to) {
    graph::Gemm op;
    op.transpose_b = true;
    const ValueId weights = drawn(name + ".weight", {to, from}, from);
    const ValueId bias = graph_.add_constant(name + ".bias", Tensor({to}, std::vector<float>(to, 0)));
    return graph_.add_node(name, op, {x, weights, bias});
  }

 private:
  ValueId drawn(const std::string& name, Shape shape, int64_t fan_in) {
    Tensor weights(ElementType::Float32, std::move(shape));
    const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in));
    for (float& weight : weights.as<float>()) weight = static_cast<float>(deviation * random_.normal());
    return graph_.add_constant(name, std::move(weights));
  }

  Graph& graph_;
  Random random_;
};

/// Two convolutions with batch-norm and max-pool, one more convolution, a classifier. Input [N, 1, 28, 28].
ValueId mnist_cnn(Builder& net) {
  ValueId x = net.input({any, 1, 28, 28});
  x = net.max_pool("pool1", net.conv_bn_relu("conv1", x, 1, 16), 2);
  x = net.max_pool("pool2", net.conv_bn_relu("conv2", x, 16, 32), 2);
  x = net.conv_bn_relu("conv3", x, 32, 32, 2);
  return net.fully_connected("classifier", net.flatten("flatten", x), 32 * 4 * 4, 10);
}

struct Topology {
  std::string_view name;
  ValueId (*build)(Builder&);
};
constexpr std::array<Topology, 1> topologies{{{"mnist_cnn", mnist_cnn}}};

}  // namespace

graph::Graph topology(std::string_view name, uint64_t seed) {
  std::vector<std::string_view> names;
  for (const Topology& row : topologies) {
    names.push_back(row.name);
    if (row.name != name) continue;
    Graph graph;
    graph.name = name;
    Builder net(graph, seed);
    graph.outputs = {row.build(net)};
    graph::tidy(graph);
    graph::verify(graph);
    return graph;
  }
  std::string known;
  for (std::string_view each : names) known.append(known.empty() ? "" : ", ").append(each);
  fail("lab", "topology", "no '" + std::string(name) + "'" + did_you_mean(name, names), known);
}

}  // namespace nibble::lab
