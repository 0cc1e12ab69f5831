#include "onnx/standard/window.hpp"

#include "onnx/file/container.hpp"

namespace nibble::onnx {
namespace {

graph::Ints checked(const NodeReader& node, std::string_view name, size_t count, int64_t otherwise, int64_t least) {
  graph::Ints numbers = node.attributes().integers(name, graph::Ints(count, otherwise));
  // Caffe2's exporter wrote empty lists where it meant the default.
  if (numbers.empty()) numbers.assign(count, otherwise);
  if (numbers.size() != count)
    node.fail("attribute " + in_quotes(name) + " has " + std::to_string(numbers.size()) + " numbers",
              std::to_string(count));
  constexpr int64_t most = INT32_MAX;
  for (int64_t number : numbers)
    if (number < least || number > most)
      node.fail("attribute " + in_quotes(name) + " holds " + std::to_string(number),
                std::to_string(least) + " to " + std::to_string(most));
  return numbers;
}

void pad_to_same(const NodeReader& node, graph::ValueId x, bool more_at_end, Window& window) {
  const size_t axes = window.kernel.size();
  for (size_t i = 0; i < axes; ++i) {
    const int64_t extent = node.fixed_extent(x, i + 2);
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t windows = extent == 0 ? 0 : (extent - 1) / window.strides[i] + 1;
    const int64_t total = std::max<int64_t>((windows - 1) * window.strides[i] + reach - extent, 0);
    window.pads[i] = more_at_end ? total / 2 : total - total / 2;
    window.pads[i + axes] = total - window.pads[i];
  }
}

}  // namespace

Window read_window(const NodeReader& node, graph::ValueId x, const graph::Ints& kernel) {
  const size_t rank = node.shape(x).size();
  if (rank < 3)
    node.fail("input " + in_quotes(node.typed(x).name) + " of shape " + to_string(node.shape(x)), "[N, C, spatial...]");
  const size_t axes = rank - 2;
  Window window;
  if (kernel.empty() && !node.attributes().has("kernel_shape"))
    node.fail("no attribute 'kernel_shape'", "the window's extents");
  window.kernel = kernel.empty() ? checked(node, "kernel_shape", axes, 1, 1) : kernel;
  if (window.kernel.size() != axes)
    node.fail("a kernel of " + std::to_string(window.kernel.size()) + " axes", std::to_string(axes));
  if (!kernel.empty() && node.attributes().has("kernel_shape") && checked(node, "kernel_shape", axes, 1, 1) != kernel)
    node.fail("attribute 'kernel_shape' differs from the weights'", to_string(kernel));
  window.strides = checked(node, "strides", axes, 1, 1);
  window.dilations = checked(node, "dilations", axes, 1, 1);
  const std::string automatic = node.attributes().text("auto_pad", "NOTSET");
  if (automatic == "NOTSET" || automatic.empty()) {
    window.pads = checked(node, "pads", 2 * axes, 0, 0);
    return window;
  }
  window.pads.assign(2 * axes, 0);
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER")
    pad_to_same(node, x, automatic == "SAME_UPPER", window);
  else if (automatic != "VALID")
    node.fail("attribute 'auto_pad' is " + in_quotes(automatic), "NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  return window;
}

}  // namespace nibble::onnx
