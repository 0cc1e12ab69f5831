#pragma once
#include <string>

#include "passes/quantise/fit.hpp"

/// What people read of memory: `show --memory` and `quantize --fit`.
namespace nibble::verbs {

/// One line a layer: its stored inputs and outputs with their bits and bytes; then what the network needs.
std::string describe(const passes::MemoryTable& table);

/// One line a layer: bits and bytes before and after, and why.
std::string describe(const passes::Fit& fit);

}  // namespace nibble::verbs
