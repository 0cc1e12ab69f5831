#include "onnx/integer_form/quantised_constant.hpp"

#include "base/channels.hpp"

namespace nibble::onnx {

Tensor quantised_constant(const Tensor& reals, const graph::Quantise& op) {
  const std::vector<double> x = reals.to_reals();
  std::vector<int64_t> q(x.size());
  const ChannelOf channel(reals.shape(), op.grid.axis);
  for (size_t i = 0; i < q.size(); ++i) q[i] = op.grid.quantise(x[i], channel(i), op.rounding);
  return Tensor(reals.shape(), q).cast(op.grid.container());
}

}  // namespace nibble::onnx
