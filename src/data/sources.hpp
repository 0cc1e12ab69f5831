#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace nibble::data {

/// Images of one size in memory, a byte a channel: pixels [N, H, W, C], one label an image.
struct StoredImages {
  int64_t height = 0, width = 0, channels = 1;
  std::string pixels;
  std::vector<uint8_t> labels;
};
/// classes = `least_classes`, or more where a label says so.
std::unique_ptr<Dataset> dataset_of(StoredImages images, int64_t least_classes);

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

}  // namespace nibble::data
