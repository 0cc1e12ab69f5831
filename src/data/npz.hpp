#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.hpp"

namespace nibble::data {

/// Arrays by name, in the file's order.
using Arrays = std::vector<std::pair<std::string, Tensor>>;

/// .npy (versions 1 to 3, either byte order, C or Fortran order; returned row-major) of any bool, int, uint, float type
/// that Nibble holds (float16 becomes float32; uint32/uint64 become int64 where they fit). Throws UserError naming file
/// and place.
Tensor read_npy(const std::filesystem::path& file);
/// .npz: stored or deflated entries, zip64. Throws UserError where all together expand beyond `largest_tensor` bytes.
Arrays read_npz(const std::filesystem::path& file);
Arrays parse_npz(std::string_view archive, const std::string& place);
std::string npy_bytes(const Tensor& tensor);
/// Deflated; written beside and renamed.
void write_npz(const std::filesystem::path& file, const Arrays& arrays);
void write_npy(const std::filesystem::path& file, const Tensor& tensor);

/// Where a name says no more than a place: numpy's arr_<i>, `<stem>_<i>`, or the stem alone for the first.
std::optional<size_t> position_in(std::string_view name, std::string_view stem);
/// For each of a network's inputs the array of its name, or of its place (stem "input"); of a single input x too, or the
/// only array (but y, which are labels, beside others). Throws UserError "<room>: <place>: ..." naming the first input
/// without one.
std::vector<size_t> arrays_of_inputs(const Arrays& arrays, const std::vector<std::string>& inputs,
                                     std::string_view room, const std::string& place);

/// An image file (JPEG, PNG) as [H, W, C] UInt8, C = 1 or 3.
Tensor read_image(const std::filesystem::path& file);
/// The same of the file's bytes, at most 2^30. Throws UserError "data: <place>: ...".
Tensor parse_image(std::string_view bytes, const std::string& place);

}  // namespace nibble::data
