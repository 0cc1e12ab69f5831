#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/file.hpp"
#include "equal/runtime/wild_networks.hpp"
#include "lower/lower.hpp"
#include "onnx/onnx.hpp"

namespace {

/// A random network as a file of the dialect, or lowered as a program.
void write(uint64_t seed, const std::string& form, const std::filesystem::path& file) {
  using nibble::tests::Style;
  if (form == "program") {
    nibble::lower::Options options;
    options.fuse = seed % 3 != 0;
    options.weights = static_cast<nibble::lower::Weights>(seed % 4 % 3);
    const auto bytes = nibble::program::write(nibble::lower::lower(nibble::tests::any_network(seed), options));
    nibble::write_file(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "fuzz");
    return;
  }
  const Style style = seed % 2 == 0 ? Style::Any : Style::Deployable;
  nibble::onnx::write(nibble::tests::random_integer_network(seed, style), form, file);
}

}  // namespace

/// Writes models for the readers' fuzzers to start from: seeds DIALECT FOLDER [BYTES], or of programs: seeds program
/// FOLDER [BYTES]. Random networks of ours of at most BYTES, 4096 where not given; those that the dialect refuses are left
/// out.
int main(int count, char** arguments) {
  if (count != 3 && count != 4) return 2;
  const auto most = count == 4 ? std::strtoull(arguments[3], nullptr, 10) : 4096;
  const std::filesystem::path folder = arguments[2];
  std::filesystem::create_directories(folder);
  const bool program = std::string_view(arguments[1]) == "program";
  int written = 0;
  for (uint64_t seed = 1; seed <= 2000 && written < 24; ++seed) {
    const std::filesystem::path file = folder / (std::to_string(seed) + (program ? ".nib" : ".onnx"));
    try {
      write(seed, arguments[1], file);
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
