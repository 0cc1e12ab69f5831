#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/npz.hpp"

namespace nibble::data {

/// Images of one size in memory, a byte a channel: pixels [N, H, W, C], one label an image.
struct StoredImages {
  int64_t height = 0, width = 0, channels = 1;
  std::string pixels;
  std::vector<uint8_t> labels;
};
/// classes = `least_classes`, or more where a label says so.
std::unique_ptr<Dataset> dataset_of(StoredImages images, int64_t least_classes);

/// What the files of the sets below hold, from their bytes. All throw UserError "data: <place>: ...".
struct Idx {
  std::vector<int64_t> extents;
  std::string bytes;  ///< the elements, without the header
};
Idx parse_idx(std::string bytes, int rank, const std::string& place);
void append_cifar10(StoredImages& images, std::string_view bytes, const std::string& place);
struct Labelled {
  std::filesystem::path file;
  int64_t label;
  size_t line = 0;  ///< of labels.csv
};
/// The JPEG and PNG files of a folder, by name.
std::vector<std::filesystem::path> images_in(const std::filesystem::path& folder);
/// Rows of labels.csv: "file,label", or the columns that a header names, the file first and `label` among the others.
std::vector<Labelled> parse_labels(std::string_view text, const std::string& place);
/// One column of such a file, which has a header; by the lines that parse_labels reads.
std::vector<std::string> parse_column(std::string_view text, const std::string& column, const std::string& place);

/// The set of arrays x [N, ...], or one an input, and, optionally, y (arrays.cpp).
std::unique_ptr<Dataset> dataset_of(Arrays arrays, const std::string& place,
                                    const std::vector<std::string>& inputs = {"x"});

}  // namespace nibble::data
