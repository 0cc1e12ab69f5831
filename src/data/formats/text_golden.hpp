#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/tensor.hpp"

/// The text files that QuantLab and NEMO write beside a network and DORY reads:
///
///     # name (shape [32, 32, 16]),        the extents without or with the batch, channels last
///     13,                                 one integer a line
namespace nibble::data {

/// One file: the tensor under the name and shape of its first line, in the order of its lines; [count] without one.
struct TextGolden {
  std::string name;
  Tensor integers;  ///< Int64
};

/// Also takes what NEMO writes: "191.000" for 191, a backslash behind the comma. Throws UserError "data: <place>: ..."
/// naming the line that holds no integer, a count that is not the shape's, and an empty file.
TextGolden parse_text_golden(std::string_view bytes, std::string_view place);
TextGolden read_text_golden(const std::filesystem::path& file);

/// The tensor channels first, of `shape` [N, C, spatial...]: where the golden's extents (those of 1 aside) are those of
/// [N, spatial..., C], its elements are moved; where they are those of `shape` itself, they are taken as they stand;
/// else there is none. Extents that fit both ways read as channels last, and so does a golden without a shape ([count]).
std::optional<Tensor> channels_first(const Tensor& golden, const Shape& shape);

/// A tensor [1, C, spatial...] (or [1, C], [C]) of integers as the file that holds it channels last and without the
/// batch. Throws UserError "data: <name>: ..." on a batch other than 1.
std::string text_golden_bytes(const std::string& name, const Tensor& tensor);

}  // namespace nibble::data
