// classify.c in C++: RAII, spans, and errors that are values all the same.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nibble.hpp>

namespace {

int fail(const std::string& what, const std::string& why) {
  std::fprintf(stderr, "classify: %s: %s\n", what.c_str(), why.c_str());
  return 1;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return fail("usage", "classify MODEL.nib INPUT.f32");
  const nibble::runtime::Program program{std::string(words[1])};
  if (!program) return fail(words[1], program.message());
  nibble::runtime::Context context = program.context();
  if (!context) return fail("memory", "not enough");

  const auto inputs = program.inputs(), outputs = program.outputs();
  if (inputs.empty() || outputs.empty()) return fail(words[1], "no input or no output");
  std::vector<float> x(inputs[0].port.elements), y(outputs[0].port.elements);
  const auto bytes = static_cast<std::streamsize>(x.size() * sizeof(float));
  std::ifstream file(words[2], std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(x.data()), bytes)) return fail(words[2], "too few numbers");
  if (context.set_reals(0, x) != NIBBLE_OK) return fail("input", "a number that the network does not take");
  if (context.run() != NIBBLE_OK || context.get_reals(0, y) != NIBBLE_OK)
    return fail("run", "a step found a division by 0, or an index beyond a table");

  for (size_t i = 0; i < y.size(); ++i) std::printf("%s%.6g", i == 0 ? "" : " ", y[i]);
  std::printf("\n%s: class %td\n", outputs[0].port.name, std::max_element(y.begin(), y.end()) - y.begin());
}
