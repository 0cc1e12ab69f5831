#pragma once
#include <memory>

#include "train/api.hpp"

namespace nibble::train {

/// Api::engine: FP in float32; QD and ID exactly, FQ as what it means. The graph must outlive the engine. Values reach
/// the observer and the caller as their declared element type, reals of QD and ID, and FQ's for observers, as Float64.
std::unique_ptr<graph::Engine> make_engine(const graph::Graph& graph, const EngineOptions& options);

/// Turns off what is not a plain sum of products (NNPACK's Winograd and FFT convolutions). Once a process.
void use_direct_convolutions();

}  // namespace nibble::train
