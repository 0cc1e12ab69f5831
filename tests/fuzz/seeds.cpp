#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "onnx/onnx.hpp"

/// Writes models for the readers' fuzzers to start from: seeds DIALECT FOLDER [BYTES]. Random networks of ours of at
/// most BYTES, 4096 where not given; those that the dialect refuses are left out.
int main(int count, char** arguments) {
  using nibble::tests::Style;
  if (count != 3 && count != 4) return 2;
  const auto most = count == 4 ? std::strtoull(arguments[3], nullptr, 10) : 4096;
  const std::filesystem::path folder = arguments[2];
  std::filesystem::create_directories(folder);
  int written = 0;
  for (uint64_t seed = 1; seed <= 2000 && written < 24; ++seed) {
    const Style style = seed % 2 == 0 ? Style::Any : Style::Deployable;
    const std::filesystem::path file = folder / (std::to_string(seed) + ".onnx");
    try {
      nibble::onnx::write(nibble::tests::random_integer_network(seed, style), arguments[1], file);
      if (std::filesystem::file_size(file) <= most)
        ++written;
      else
        std::filesystem::remove(file);
    } catch (const nibble::UserError&) {
    }
  }
  std::printf("%d files for %s\n", written, arguments[1]);
  return written == 0;
}
