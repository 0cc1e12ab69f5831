#include <cstdlib>
#include <fstream>

#include "equal/runtime/runtime.hpp"
#include "equal/runtime/wild_networks.hpp"

/// networks FOLDER FIRST COUNT: programs of random networks for a test on another machine, FOLDER/SEED.nib, each lowered
/// by other options than the one before.
int main(int count, char** words) {
  using namespace nibble;
  if (count != 4) return 2;
  const std::vector<lower::Options> options = tests::options_to_try();
  const uint64_t first = std::strtoull(words[2], nullptr, 10), end = first + std::strtoull(words[3], nullptr, 10);
  for (uint64_t seed = first; seed < end; ++seed) {
    try {
      const graph::Graph graph = tests::any_network(seed);
      const auto bytes = program::write(tests::for_threads(lower::lower(graph, options[seed % options.size()])));
      std::ofstream file(std::string(words[1]) + "/" + std::to_string(seed) + ".nib", std::ios::binary);
      file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    } catch (const UserError&) {
      continue;  // extents that do not meet
    }
  }
}
