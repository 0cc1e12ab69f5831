#include "lower/lowering.hpp"

namespace nibble::lower {

void lower_real(Lowering& lowering, const graph::Node& node) {
  lowering.refuse(node, "a computation on real numbers", "integers");
}

}  // namespace nibble::lower
