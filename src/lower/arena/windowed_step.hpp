#pragma once
#include "kernels/fields.h"
#include "lower/lowering.hpp"

/// Steps over windows, convolutions and pools: their parameters, read and written again.
namespace nibble::lower {

template <class Parameters>
Parameters decoded(const Draft& draft) {
  Parameters p{};
  nibble_decode(draft.kind, draft.numbers.data(), &program::places(), &p);
  return p;
}

template <class Parameters>
void encode(Draft& draft, const Parameters& p) {
  nibble_encode(draft.kind, &p, &program::places(), draft.numbers.data());
}

/// Calls f with the struct of a convolution or pool; false for any other step.
template <class F>
bool with_windows(const Draft& draft, F&& f) {
  if (draft.kind == NIBBLE_KIND_CONV) return f(decoded<nibble_conv>(draft)), true;
  if (draft.kind == NIBBLE_KIND_POOL) return f(decoded<nibble_pool>(draft)), true;
  return false;
}

}  // namespace nibble::lower
