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
std::vector<Labelled> parse_labels(std::string_view text, const std::string& place);

/// idx files of MNIST's names (train-images-idx3-ubyte or train-images.idx3-ubyte, .gz or not); split is train or test.
/// At least 10 classes. Source: yann.lecun.com/exdb/mnist.
std::unique_ptr<Dataset> open_mnist(const std::filesystem::path& folder, const std::string& split);
/// Records of one label byte and 3 planes of 32 x 32: data_batch_*.bin present, sorted (train), or test_batch.bin.
std::unique_ptr<Dataset> open_cifar10(const std::filesystem::path& folder, const std::string& split);
/// JPEG and PNG files: labels.csv (file,label; a header line or not) or one folder a class in sorted order. Decoded
/// when asked for.
std::unique_ptr<Dataset> open_images(const std::filesystem::path& folder);
/// x [N, ...], optional y. x of UInt8 [N, H, W] or [N, H, W, 1 or 3] is images; all else is Float32 features. y of
/// integers [N] is labels; every other y is a Float32 target [...].
std::unique_ptr<Dataset> open_npz(const std::filesystem::path& file);
std::unique_ptr<Dataset> dataset_of(Arrays arrays, const std::string& place);

}  // namespace nibble::data
