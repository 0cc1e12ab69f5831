#pragma once
#include <memory>

#include "data/dataset.hpp"
#include "graph/evaluate/evaluate.hpp"

namespace nibble::verbs {

/// `engine` on batches that `from` made, for a network whose input `to` makes: one that takes pixels beside one that
/// takes them normalised. Throws UserError at `place` where the two cut or mix their images otherwise.
std::unique_ptr<graph::Engine> translated(std::unique_ptr<graph::Engine> engine, const data::Preprocess& from,
                                          const data::Preprocess& to, const std::string& place);

}  // namespace nibble::verbs
