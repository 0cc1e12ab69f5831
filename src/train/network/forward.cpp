#include "train/network/forward.hpp"

#include <cmath>

#include "base/error.hpp"
#include "graph/op_table.hpp"
#include "passes/rewrite.hpp"
#include "train/network/movement.hpp"
#include "train/network/pointwise.hpp"
#include "train/network/shared_norm.hpp"
#include "train/network/windows.hpp"

namespace nibble::train {
namespace {

using Tensors = std::vector<at::Tensor>;

at::Tensor input(const Tensors& inputs, size_t i) {
  return i < inputs.size() ? inputs[i] : at::Tensor();
}

at::Tensor without(const at::Tensor& x, int64_t zero_point) {
  return zero_point == 0 ? x : x - zero_point;
}

at::Tensor convolution(const graph::Conv& op, const Tensors& in) {
  return convolve(op, without(in[0], op.zero_point), in[1], input(in, 2));
}

/// a [M,K] times b [N,K] transposed. Debian's BLAS is the plain one; a 1x1 convolution goes to oneDNN.
at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  constexpr int64_t worth_it = 1 << 16;
  if (a.scalar_type() != at::kFloat || a.numel() * b.size(0) < worth_it) return at::matmul(a, b.t());
  const at::Tensor image = a.contiguous().unsqueeze(2).unsqueeze(3), kernel = b.contiguous().unsqueeze(2).unsqueeze(3);
  return at::conv2d(image, kernel).flatten(1);
}

at::Tensor gemm(const graph::Gemm& op, const Tensors& in) {
  const at::Tensor a = without(op.transpose_a ? in[0].t() : in[0], op.zero_point);
  at::Tensor y = product(a, op.transpose_b ? in[1] : in[1].t());
  if (op.alpha != 1) y = y * op.alpha;
  const at::Tensor c = input(in, 2);
  if (!c.defined()) return y;
  return y + (op.beta == 1 ? c : c * op.beta);
}

at::Tensor batch_norm(const graph::Node& node, const Tensors& in, const Mode& mode) {
  if (mode.training && !mode.frozen_statistics) return normalise_by_batch(node, in, mode.share).y;
  const auto& op = get<graph::BatchNormalization>(node.op);
  return at::batch_norm(in[0], in[1], in[2], in[3], in[4], false, batch_norm_momentum, op.epsilon, false);
}

at::Tensor layer_norm(const graph::LayerNormalization& op, const Tensors& in) {
  const at::Tensor& x = in[0];
  const int64_t axis = op.axis < 0 ? op.axis + x.dim() : op.axis;
  const at::Tensor y = at::layer_norm(x, x.sizes().slice(static_cast<size_t>(axis)), {}, {}, op.epsilon) * in[1];
  const at::Tensor bias = input(in, 2);
  return bias.defined() ? y + bias : y;
}

at::Tensor rms_norm(const graph::RmsNormalization& op, const Tensors& in) {
  const at::Tensor& x = in[0];
  std::vector<int64_t> axes;
  for (int64_t i = op.axis < 0 ? op.axis + x.dim() : op.axis; i < x.dim(); ++i) axes.push_back(i);
  return x / at::sqrt(at::mean(x * x, axes, true) + op.epsilon) * in[1];
}

at::Tensor maximum(const graph::ReduceMax& op, const at::Tensor& x) {
  std::vector<int64_t> axes = op.axes;
  for (int64_t i = 0; axes.empty() && i < x.dim(); ++i) axes.push_back(i);
  return at::amax(x, axes, op.keep_dims);
}

at::Tensor dropout(const graph::Dropout& op, const at::Tensor& x, const Mode& mode) {
  if (!mode.training || op.ratio == 0) return x;
  std::vector<int64_t> sizes = x.sizes().vec();
  // Drawn for the whole batch: the same for any number of ranks.
  const bool part = mode.share.ranks != nullptr && sizes[0] == mode.share.count;
  if (part) sizes[0] = mode.share.of;
  at::Tensor kept = at::bernoulli(at::full(sizes, 1 - op.ratio, x.options()), mode.random);
  if (part) kept = kept.narrow(0, mode.share.first, mode.share.count);
  return x * kept / (1 - op.ratio);
}

at::Tensor mean(const at::Tensor& x, std::vector<int64_t> axes, bool keep) {
  for (int64_t i = 0; axes.empty() && i < x.dim(); ++i) axes.push_back(i);
  return at::mean(x, axes, keep);
}

at::Tensor sum(const graph::ReduceSum& op, const at::Tensor& x) {
  std::vector<int64_t> axes = op.axes;
  for (int64_t i = 0; axes.empty() && i < x.dim(); ++i) axes.push_back(i);
  return at::sum(without(x, op.zero_point), axes, op.keep_dims);
}

at::Tensor global_average(const at::Tensor& x) {
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < x.dim(); ++i) axes.push_back(i);
  return at::mean(x, axes, true);
}

at::Tensor clip(const graph::Clip& op, const at::Tensor& x) {
  return at::clamp(x, op.low, op.high);
}

at::Tensor shrink(const graph::Shrink& op, const at::Tensor& x) {
  return at::where(x < -op.lambd, x + op.bias, at::where(x > op.lambd, x - op.bias, at::zeros_like(x)));
}

at::Tensor leaky_relu(double alpha, const at::Tensor& x) {
  return at::where(x >= 0, x, x * alpha);
}

[[noreturn]] Tensors refuse(const graph::Node& node) {
  throw InternalError("'" + node.name + "' (" + std::string(graph::name_of(node.op)) + ") is computed as floats");
}

}  // namespace

Normalised normalise_by_batch(const graph::Node& norm, const Tensors& in, const Share& share) {
  const int64_t examples = share.ranks ? share.of : in[0].size(0),
                values = in[0].numel() / std::max<int64_t>(1, in[0].size(0) * in[0].size(1));
  if (examples * values == 1)
    fail("train", passes::place_of(norm), "a batch with one value a channel, which has no variance",
         "a larger batch_size, or batch_norm's statistics frozen from the start");
  const double epsilon = get<graph::BatchNormalization>(norm.op).epsilon;
  if (share.ranks != nullptr) return normalise_by_shared_batch(epsilon, in, share, batch_norm_momentum);
  auto [y, mean, inverse] =
      at::native_batch_norm(in[0].contiguous(), in[1], in[2], in[3], in[4], true, batch_norm_momentum, epsilon);
  return {y, mean, inverse};
}

std::vector<at::Tensor> forward(const graph::Node& node, const std::vector<at::Tensor>& in, const Mode& mode) {
  using namespace graph;
  return match(
      node.op,  //
      [&](const Conv& op) -> Tensors { return {convolution(op, in)}; },
      [&](const Gemm& op) -> Tensors { return {gemm(op, in)}; },
      [&](const MatMul& op) -> Tensors {
        return {at::matmul(without(in[0], op.zero_point_a), without(in[1], op.zero_point_b))};
      },
      [&](const BatchNormalization&) -> Tensors { return {batch_norm(node, in, mode)}; },
      [&](const LayerNormalization& op) -> Tensors { return {layer_norm(op, in)}; },
      [&](const Identity&) -> Tensors { return {in[0]}; },  //
      [&](const Relu&) -> Tensors { return {at::relu(in[0])}; },
      [&](const HardSwish&) -> Tensors { return {in[0] * at::clamp(in[0] / 6 + 0.5, 0, 1)}; },
      [&](const Sigmoid&) -> Tensors { return {at::sigmoid(in[0])}; },
      [&](const Tanh&) -> Tensors { return {at::tanh(in[0])}; },
      [&](const Erf&) -> Tensors { return {at::erf(in[0])}; }, [&](const Exp&) -> Tensors { return {at::exp(in[0])}; },
      [&](const Log&) -> Tensors { return {at::log(in[0])}; },
      [&](const Sqrt&) -> Tensors { return {at::sqrt(in[0])}; },
      [&](const Neg&) -> Tensors { return {at::neg(in[0])}; }, [&](const Abs&) -> Tensors { return {at::abs(in[0])}; },
      [&](const Reciprocal&) -> Tensors { return {at::reciprocal(in[0])}; },
      [&](const Softplus&) -> Tensors { return {at::softplus(in[0])}; },
      [&](const Dropout& op) -> Tensors { return {dropout(op, in[0], mode)}; },
      [&](const Add&) -> Tensors {
        at::Tensor sum = in[0] + in[1];
        for (size_t i = 2; i < in.size(); ++i) sum = sum + in[i];
        return {sum};
      },
      [&](const Sub&) -> Tensors { return {in[0] - in[1]}; },
      [&](const Mul&) -> Tensors { return {in[0] * in[1]}; },  //
      [&](const Div&) -> Tensors { return {in[0] / in[1]}; },
      [&](const Pow&) -> Tensors { return {at::pow(in[0], in[1])}; },
      [&](const Clip& op) -> Tensors { return {clip(op, in[0])}; },
      [&](const LeakyRelu& op) -> Tensors { return {leaky_relu(op.alpha, in[0])}; },
      [&](const HardSigmoid& op) -> Tensors { return {at::clamp(in[0] * op.alpha + op.beta, 0, 1)}; },
      [&](const Gelu& op) -> Tensors { return {at::gelu(in[0], op.tanh_form ? "tanh" : "none")}; },
      [&](const Softmax& op) -> Tensors { return {at::softmax(in[0], op.axis)}; },
      [&](const MaxPool& op) -> Tensors { return {max_pool(op, in[0])}; },
      [&](const AveragePool& op) -> Tensors { return {average_pool(op, in[0])}; },
      [&](const SumPool& op) -> Tensors { return {sum_pool(op, in[0])}; },
      [&](const GlobalAveragePool&) -> Tensors { return {global_average(in[0])}; },
      [&](const ReduceMean& op) -> Tensors { return {mean(in[0], op.axes, op.keep_dims)}; },
      [&](const ReduceSum& op) -> Tensors { return {sum(op, in[0])}; },
      [&](const Concat& op) -> Tensors { return {at::cat(in, op.axis)}; },
      [&](const Split& op) -> Tensors { return at::split_with_sizes(in[0], op.sizes, op.axis); },
      [&](const Slice& op) -> Tensors { return {slice(op, in[0])}; },
      [&](const Pad& op) -> Tensors { return {pad(op, in[0])}; },
      [&](const Flatten& op) -> Tensors { return {flatten(op, in[0])}; },
      [&](const Reshape& op) -> Tensors { return {reshape(op, in[0])}; },
      [&](const Transpose& op) -> Tensors { return {in[0].permute(op.perm)}; },
      [&](const Squeeze& op) -> Tensors { return {squeeze(op, in[0])}; },
      [&](const Unsqueeze& op) -> Tensors { return {unsqueeze(op, in[0])}; },
      [&](const Gather& op) -> Tensors { return {gather(op, in[0], in[1])}; },
      [&](const Resize& op) -> Tensors { return {resize(op, in[0])}; },
      [&](const Quantise& op) -> Tensors { return {quantise(op, in[0], in[0].scalar_type(), true)}; },
      [&](const Dequantise& op) -> Tensors { return {dequantise(op, in[0])}; },
      [&](const ConvTranspose& op) -> Tensors {
        return {convolve_transposed(op, without(in[0], op.zero_point), in[1], input(in, 2))};
      },
      [&](const RmsNormalization& op) -> Tensors { return {rms_norm(op, in)}; },
      [&](const Mish&) -> Tensors { return {at::mish(in[0])}; },
      [&](const Min&) -> Tensors { return {at::minimum(in[0], in[1])}; },
      [&](const Max&) -> Tensors { return {at::maximum(in[0], in[1])}; },
      [&](const Where&) -> Tensors { return {at::where(in[0] != 0, in[1], in[2])}; },
      [&](const Elu& op) -> Tensors { return {at::elu(in[0], op.alpha)}; },
      [&](const Swish& op) -> Tensors { return {in[0] * at::sigmoid(in[0] * op.alpha)}; },
      [&](const LogSoftmax& op) -> Tensors { return {at::log_softmax(in[0], op.axis)}; },
      [&](const ReduceMax& op) -> Tensors { return {maximum(op, in[0])}; },
      [&](const PRelu&) -> Tensors { return {at::where(in[0] >= 0, in[0], in[0] * in[1])}; },
      [&](const Selu& op) -> Tensors { return {at::where(in[0] > 0, in[0], at::expm1(in[0]) * op.alpha) * op.gamma}; },
      [&](const Celu& op) -> Tensors { return {at::celu(in[0], op.alpha)}; },
      [&](const ThresholdedRelu& op) -> Tensors { return {at::where(in[0] > op.alpha, in[0], 0 * in[0])}; },
      [&](const Shrink& op) -> Tensors { return {shrink(op, in[0])}; },
      [&](const Softsign&) -> Tensors { return {in[0] / (at::abs(in[0]) + 1)}; },
      [&](const Round&) -> Tensors { return {at::round(in[0])}; },
      [&](const Floor&) -> Tensors { return {at::floor(in[0])}; },
      [&](const Ceil&) -> Tensors { return {at::ceil(in[0])}; },
      [&](const Sign&) -> Tensors { return {at::sign(in[0])}; },
      [&](const Sin&) -> Tensors { return {at::sin(in[0])}; }, [&](const Cos&) -> Tensors { return {at::cos(in[0])}; },
      [&]<class Op>(const Op&) -> Tensors requires(OnIntegers<Op> || row<Op>.kind == OpClass::Index) {
        return refuse(node);
      });
}

}  // namespace nibble::train
