#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/tensor.hpp"

/// Golden folders: a network, its inputs and what its tensors must be, in the files of any dialect.
///
///     network.onnx, or the only *.onnx
///     inputs.npz, outputs.npz, activations.npz                       keys: names of values, or in the graph's order
///     input.txt, out_layer<i>.txt, output.txt                        formats/text_golden.hpp; input_<i>.txt,
///                                                                    output_<i>.txt where there are several
///     config_<network>.json with n_inputs n > 1                      n inferences one after the other:
///                                                                    input_<i>.txt (else input.txt holds them in
///                                                                    turn), out_<i>_layer<j>.txt, output_<i>.txt
///                                                                    (else output.txt) of inference i
namespace nibble::verbs {

/// One tensor of a golden folder.
struct Recorded {
  std::string file;  ///< without its folder
  std::string name;  ///< its key, or the name in the text file's first line
  bool text = false;
  Tensor tensor;  ///< of a text file: in the order of its lines
  int64_t inference = 0;
};

struct GoldenFolder {
  std::filesystem::path network;
  std::vector<Recorded> inputs, activations, outputs;
  int64_t inferences = 1;  ///< from 0 on
};

/// The golden folders that a path stands for: the folder itself where it holds a network or golden files, else all
/// below it that do, in order of name. Throws UserError where there are none.
std::vector<std::filesystem::path> golden_folders(const std::filesystem::path& folder);

/// Throws UserError "verbs: <folder>: ..." on no network or several, no inputs, nothing to compare with, a gap in the
/// numbers of files; what the reader of a file throws.
GoldenFolder read_golden_folder(const std::filesystem::path& folder);

}  // namespace nibble::verbs
