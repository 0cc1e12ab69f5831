#include "onnx/standard/folded.hpp"

#include <algorithm>

namespace nibble::onnx {

bool Folded::has_batch() const {
  return std::any_of(elements.begin(), elements.end(), [](const Element& element) { return element.batch; });
}

Folded folded_of(const Tensor& tensor) {
  Folded folded{tensor.type(), tensor.shape(), std::vector<Element>(tensor.size())};
  if (is_real(tensor.type())) {
    const std::vector<double> reals = tensor.to_reals();
    for (size_t i = 0; i < reals.size(); ++i) folded.elements[i].real = reals[i];
  } else {
    const std::vector<int64_t> integers = tensor.to_integers();
    for (size_t i = 0; i < integers.size(); ++i) folded.elements[i].integer = integers[i];
  }
  return folded;
}

Tensor tensor_of(const Folded& folded) {
  ensure(!folded.has_batch(), "a tensor's elements are numbers");
  const auto each = [&](auto zero, auto member) {
    std::vector<decltype(zero)> values;
    for (const Element& element : folded.elements) values.push_back(element.*member);
    return Tensor(folded.shape, values).cast(folded.type);
  };
  return is_real(folded.type) ? each(double{}, &Element::real) : each(int64_t{}, &Element::integer);
}

Folded folded_shape(const Shape& shape) {
  Folded folded{ElementType::Int64, {static_cast<int64_t>(shape.size())}, {}};
  for (int64_t extent : shape) folded.elements.push_back({extent == any ? 1 : extent, 0, extent == any});
  return folded;
}

}  // namespace nibble::onnx
