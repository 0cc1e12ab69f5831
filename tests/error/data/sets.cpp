#include "data/dataset.hpp"
#include "data/npz.hpp"
#include "unit/data/archives.hpp"
#include "unit/data/files.hpp"

using namespace nibble;
using namespace nibble::data;
using nibble::testing::Folder;
using nibble::testing::message_of;

namespace {

std::string opening(const Folder& folder, const std::string& set, const std::string& rest) {
  return message_of([&] { open_dataset(set + ":" + folder.path.string() + rest); }, folder.path);
}

}  // namespace

TEST(OpenDatasetErrors, NameTheDescription) {
  const Folder folder;
  EXPECT_EQ(message_of([] { open_dataset("mnist"); }), "data: 'mnist': no path (expected SET:PATH[:SPLIT])");
  EXPECT_EQ(message_of([] { open_dataset("minst:a:test"); }),
            "data: 'minst:a:test': no set 'minst' (did you mean 'mnist'?) (expected mnist, cifar10, images, sounds, "
            "landmarks or npz)");
  EXPECT_EQ(message_of([] { open_dataset("mnist:a"); }),
            "data: 'mnist:a': no split (expected mnist:DIR:train or mnist:DIR:test)");
  EXPECT_EQ(message_of([] { open_dataset("cifar10:a:val"); }),
            "data: 'cifar10:a:val': split 'val' (expected cifar10:DIR:train or cifar10:DIR:test)");
}

TEST(MnistErrors, NameTheFile) {
  const Folder folder;
  const std::string images = "t10k-images-idx3-ubyte", labels = "t10k-labels-idx1-ubyte";
  EXPECT_EQ(opening(folder, "mnist", ":test"),
            "data: DIR: no file t10k-images-idx3-ubyte (expected it, or t10k-images.idx3-ubyte, .gz or not)");
  folder.write(images, "abc");
  EXPECT_EQ(opening(folder, "mnist", ":test"), "data: DIR/" + images + ": 3 bytes (expected a header of 16)");
  folder.write(images, std::string(16, 0));
  EXPECT_EQ(opening(folder, "mnist", ":test"), "data: DIR/" + images + ": magic number 0 (expected 2051)");
  folder.write(images, nibble::testing::idx_images(2).substr(0, 20));
  EXPECT_EQ(opening(folder, "mnist", ":test"),
            "data: DIR/" + images + ": 4 bytes after the header (expected 12 for shape [2, 2, 3])");
  folder.write(images, nibble::testing::idx_images(0));
  EXPECT_EQ(opening(folder, "mnist", ":test"),
            "data: DIR/" + images + ": shape [0, 2, 3] (expected at least one example)");
  folder.write(images, nibble::testing::big_endian(0x803) + std::string(12, '\xff'));
  EXPECT_EQ(opening(folder, "mnist", ":test"),
            "data: DIR/" + images +
                ": shape [4294967295, 4294967295, 4294967295] (expected extents whose product fits the file)");
  folder.write(images, nibble::testing::idx_images(2));
  folder.write(labels, nibble::testing::idx_labels({1}));
  EXPECT_EQ(opening(folder, "mnist", ":test"), "data: DIR/" + images + ": 2 images (expected as many as labels, 1)");
}

TEST(MnistErrors, NameAGzipThatIsCutOrDamaged) {
  const Folder folder;
  const std::string header{"\x1f\x8b\x08\0\0\0\0\0\0\x03", 10};
  folder.write("t10k-images-idx3-ubyte.gz", header);
  EXPECT_EQ(opening(folder, "mnist", ":test"),
            "data: DIR/t10k-images-idx3-ubyte.gz: compressed data end early (expected a whole deflate stream)");
  folder.write("t10k-images-idx3-ubyte.gz", header + std::string(8, '\xff'));
  EXPECT_EQ(opening(folder, "mnist", ":test"),
            "data: DIR/t10k-images-idx3-ubyte.gz: compressed data are damaged (expected a deflate stream)");
}

TEST(Cifar10Errors, NameTheFileAndTheRecord) {
  const Folder folder;
  EXPECT_EQ(opening(folder, "cifar10", ":train"), "data: DIR: no data_batch_*.bin (expected at least one)");
  folder.write("data_batch_1.bin", std::string(3072, 0));
  EXPECT_EQ(opening(folder, "cifar10", ":train"),
            "data: DIR/data_batch_1.bin: 3072 bytes (expected a positive multiple of 3073)");
  folder.write("test_batch.bin", std::string(3073, 0) + std::string(3073, 10));
  EXPECT_EQ(opening(folder, "cifar10", ":test"), "data: DIR/test_batch.bin: record 1: label 10 (expected 0 to 9)");
}

TEST(ImagesErrors, NameTheFolderTheLineOrTheFile) {
  const Folder folder;
  EXPECT_EQ(opening(folder, "images", ""),
            "data: DIR: no images (expected JPEG, PNG or BMP files, one folder of them a class, or labels.csv)");
  EXPECT_EQ(opening(folder, "images", "/none"),
            "data: DIR/none: cannot be listed: No such file or directory (expected a folder)");
  folder.write("cat/a.png", "not a picture");
  const auto set = open_dataset("images:" + folder.path.string());
  EXPECT_EQ(message_of([&] { set->sample(0); }, folder.path),
            "data: DIR/cat/a.png: cannot be decoded: unknown image type (expected a JPEG, PNG or BMP image)");
  folder.write("labels.csv", "file,label\ncat/a.png,x\n");
  EXPECT_EQ(opening(folder, "images", ""),
            "data: DIR/labels.csv:2: 'cat/a.png,x' (expected file,label with a label of 0 or more)");
  folder.write("labels.csv", "cat/b.png,1\n");
  EXPECT_EQ(opening(folder, "images", ""), "data: DIR/labels.csv:1: no file 'cat/b.png' (expected an image)");
}

TEST(ImageErrors, NameAPictureThatIsCutOrTooLarge) {
  const Folder folder;
  const auto reading = [&](const std::string& bytes) {
    return message_of([&] { read_image(folder.write("a.png", bytes)); }, folder.path);
  };
  const std::string whole = nibble::testing::png(3, 2, 0, "abcdef");
  EXPECT_EQ(reading(""), "data: DIR/a.png: cannot be decoded: unknown image type (expected a JPEG, PNG or BMP image)");
  for (size_t size = 0; size + 12 < whole.size(); ++size)
    EXPECT_TRUE(reading(whole.substr(0, size)).starts_with("data: DIR/a.png: cannot be decoded: ")) << size;
  EXPECT_EQ(reading(nibble::testing::png(20000, 20000, 0, std::string(20000, 'x'))),
            "data: DIR/a.png: 20000 x 20000 pixels (expected at most 2^28)");
  std::string claims = whole;
  claims[33] = 0x3f;  // the length of the chunk behind the header: 1 GB
  EXPECT_EQ(reading(claims),
            "data: DIR/a.png: cannot be decoded: a chunk ends behind the file (expected a JPEG, PNG or BMP image)");
  // Tables of 15 and then of 12 * 255 codes, with fill bytes before the marker.
  const std::string fill = "\xff\xff", table = std::string("\xc4\x00\x2f", 3) + '\0';
  const std::string tables =
      "\xff\xd8" + fill + table + "\x0f" + std::string(30, '\0') + '\1' + std::string(12, '\xff');
  EXPECT_EQ(
      reading(tables + std::string(99, '\4')),
      "data: DIR/a.png: cannot be decoded: a Huffman table of more than 256 codes (expected a JPEG, PNG or BMP image)");
  const std::string hollow = nibble::testing::png(16000, 16000, 6, "x");
  EXPECT_EQ(reading(hollow), "data: DIR/a.png: 16000 x 16000 pixels (expected no more than " +
                                 std::to_string(hollow.size()) + " bytes can hold)");
}

TEST(NpzSetErrors, NameTheArray) {
  const Folder folder;
  const auto with = [&](const Arrays& arrays) {
    write_npz(folder.path / "a.npz", arrays);
    return opening(folder, "npz", "/a.npz");
  };
  const Tensor two({2}, std::vector<float>{1, 2});
  EXPECT_EQ(with({{"y", two}}), "data: DIR/a.npz: no array 'x' (expected x [N, ...])");
  EXPECT_EQ(message_of([&] { open_dataset("npz:" + (folder.path / "a.npz").string(), {}); }, folder.path),
            "data: DIR/a.npz: data for a network without inputs (expected a network that reads some)");
  EXPECT_EQ(with({{"x", Tensor()}}), "data: DIR/a.npz: x of shape [0] (expected at least one example)");
  EXPECT_EQ(with({{"x", two}, {"y", Tensor({1}, std::vector<int64_t>{1})}}),
            "data: DIR/a.npz: y of shape [1] (expected 2 examples, as x has)");
  EXPECT_EQ(with({{"x", two}, {"y", Tensor({2}, std::vector<int64_t>{1, -1})}}),
            "data: DIR/a.npz: label -1 (expected 0 to 2^24 - 1)");
  EXPECT_EQ(with({{"x", two}, {"x", two}}), "data: DIR/a.npz: two arrays 'x' (expected each name once)");
}
