#include "onnx/integer_form/quantised_constant.hpp"

namespace nibble::onnx {

Tensor quantised_constant(const Tensor& reals, const graph::Quantise& op) {
  const std::vector<double> x = reals.to_reals();
  std::vector<int64_t> q(x.size());
  size_t inner = 1, channels = 1;
  if (op.grid.per_channel()) {
    const auto axis = static_cast<size_t>(op.grid.axis);
    channels = static_cast<size_t>(reals.shape().at(axis));
    for (size_t i = axis + 1; i < reals.rank(); ++i) inner *= static_cast<size_t>(reals.shape()[i]);
  }
  for (size_t i = 0; i < q.size(); ++i) q[i] = op.grid.quantise(x[i], i / inner % channels, op.rounding);
  return Tensor(reals.shape(), q).cast(op.grid.container());
}

}  // namespace nibble::onnx
