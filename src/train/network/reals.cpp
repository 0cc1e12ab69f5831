#include "train/network/reals.hpp"

#include <algorithm>

#include "train/network/parts.hpp"

namespace nibble::train {
namespace {

template <class Element>
void write(const at::Tensor& y, const std::vector<quant::LevelReals>& how, std::vector<at::Tensor> operands,
           int64_t axis) {
  for (at::Tensor& each : operands) each = each.to(c10::CppTypeToScalarType<Element>::value).contiguous();
  const Parts parts(y, how.size(), how.size() == 1 ? -1 : axis);
  parts.each([&](int64_t part, size_t begin, size_t size) {
    std::vector<const Element*> from;
    for (const at::Tensor& each : operands) from.push_back(each.data_ptr<Element>() + begin);
    quant::reals_of_levels<Element>(how[static_cast<size_t>(parts.channel(part))], from, size,
                                    y.data_ptr<float>() + begin);
  });
}

}  // namespace

at::Tensor reals_of(const std::vector<quant::LevelReals>& how, const std::vector<at::Tensor>& operands, int64_t axis) {
  const at::Tensor y = at::empty(at::broadcast_tensors(operands)[0].sizes(), at::kFloat);
  write_reals(y, how, operands, axis);
  return y;
}

void write_reals(const at::Tensor& y, const std::vector<quant::LevelReals>& how,
                 const std::vector<at::Tensor>& operands, int64_t axis) {
  if (!y.is_contiguous()) {
    y.detach().copy_(reals_of(how, operands, axis));
    return;
  }
  const std::vector<at::Tensor> alike = operands.size() == 1 ? operands : at::broadcast_tensors(operands);
  const bool floats =
      std::all_of(alike.begin(), alike.end(), [](const at::Tensor& x) { return x.scalar_type() == at::kFloat; });
  floats ? write<float>(y, how, alike, axis) : write<double>(y, how, alike, axis);
}

}  // namespace nibble::train
