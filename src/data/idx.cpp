#include "base/file.hpp"
#include "data/formats/inflate.hpp"
#include "data/sources.hpp"

namespace nibble::data {
namespace {

/// What an expanded file may hold: some 30 times the largest set of this form.
constexpr size_t largest_file = size_t{1} << 31;

std::filesystem::path find_file(const std::filesystem::path& folder, const std::string& name, int rank) {
  const std::string ending = "idx" + std::to_string(rank) + "-ubyte";
  for (const char* joint : {"-", "."})
    for (const char* packing : {"", ".gz"}) {
      const std::filesystem::path file = folder / (name + joint + ending + packing);
      std::error_code error;
      if (std::filesystem::exists(file, error)) return file;
    }
  fail("data", folder.string(), "no file " + name + "-" + ending, "it, or " + name + "." + ending + ", .gz or not");
}

int64_t big_endian(const std::string& bytes, size_t at) {
  int64_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

Idx read_idx(const std::filesystem::path& file, int rank) {
  std::string bytes = read_file(file, "data", largest_file);
  if (file.extension() == ".gz") bytes = inflate_bytes(bytes, Wrapping::Gzip, largest_file, file.string());
  return parse_idx(std::move(bytes), rank, file.string());
}

}  // namespace

Idx parse_idx(std::string bytes, int rank, const std::string& place) {
  Idx idx{{}, std::move(bytes)};
  const size_t header = 4 + 4 * static_cast<size_t>(rank);
  if (idx.bytes.size() < header)
    fail("data", place, std::to_string(idx.bytes.size()) + " bytes", "a header of " + std::to_string(header));
  const int64_t magic = big_endian(idx.bytes, 0);
  if (magic != 0x800 + rank) fail("data", place, "magic number " + std::to_string(magic), std::to_string(0x800 + rank));
  for (size_t at = 4; at < header; at += 4) idx.extents.push_back(big_endian(idx.bytes, at));
  idx.bytes.erase(0, header);
  int64_t count = 1;
  for (int64_t extent : idx.extents)
    if (__builtin_mul_overflow(count, extent, &count))
      fail("data", place, "shape " + to_string(idx.extents), "extents whose product fits the file");
  if (count != static_cast<int64_t>(idx.bytes.size()))
    fail("data", place, std::to_string(idx.bytes.size()) + " bytes after the header",
         std::to_string(count) + " for shape " + to_string(idx.extents));
  if (count == 0) fail("data", place, "shape " + to_string(idx.extents), "at least one example");
  return idx;
}

/// idx files of MNIST's names (train-images-idx3-ubyte or train-images.idx3-ubyte, .gz or not). At least 10 classes.
/// Source: yann.lecun.com/exdb/mnist.
std::unique_ptr<Dataset> open_mnist(const std::filesystem::path& folder, std::string_view split) {
  const std::string name = split == "train" ? "train" : "t10k";
  const std::filesystem::path images_file = find_file(folder, name + "-images", 3);
  Idx images = read_idx(images_file, 3);
  const Idx labels = read_idx(find_file(folder, name + "-labels", 1), 1);
  if (images.extents[0] != labels.extents[0])
    fail("data", images_file.string(), std::to_string(images.extents[0]) + " images",
         "as many as labels, " + std::to_string(labels.extents[0]));
  return dataset_of({images.extents[1], images.extents[2], 1, std::move(images.bytes),
                     std::vector<uint8_t>(labels.bytes.begin(), labels.bytes.end())},
                    10);
}

}  // namespace nibble::data
