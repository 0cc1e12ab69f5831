#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "equal/kernels/cases.hpp"

namespace {

using namespace nibble::test;

/// What a set's finisher makes of sums of a convolution that something else computed, and what the specification does.
bool finishes_as_specified(const Case& step, nibble_finisher finisher) {
  const int64_t items = nibble_items(step.kind, step.parameters.get());
  const int64_t count = nibble_sums(step.kind, step.parameters.get(), 0, items);
  Draw draw(step.seed);
  std::vector<int32_t> sums(static_cast<size_t>(count));
  for (int32_t& sum : sums) sum = draw.number(-1000, 1000);
  std::vector<uint8_t> wanted(static_cast<size_t>(step.out_bytes) + NIBBLE_SLACK), found = wanted;
  nibble_call call{};
  for (size_t i = 0; i < step.in.size(); ++i) call.in[i] = step.in[i].data();
  call.end = items;
  call.out = wanted.data();
  const int fault = nibble_finish_sums(step.kind, step.parameters.get(), &call, sums.data(), nullptr, nullptr);
  call.out = found.data();
  const int other = nibble_finish_sums(step.kind, step.parameters.get(), &call, sums.data(), nullptr, finisher);
  return fault == other && wanted == found;
}

}  // namespace

/// The kernel sets of an Arm processor against the reference, run by an emulator: kernels COUNT SET...
///
/// Compares steps 0 to COUNT - 1 with every set that runs here; each SET named must be among them and take some. A
/// failing step is printed with its parameters.
int main(int count, char** words) {
  std::map<std::string, std::map<std::string, int>> taken;
  int faults = 0;
  const uint64_t steps = count > 1 ? std::strtoull(words[1], nullptr, 10) : 0;
  for (uint64_t seed = 0; seed < steps; ++seed) {
    const CasePointer step = any_case(seed);
    for (const nibble_kernel_set* const* set = nibble_kernel_sets; *set != nullptr; ++set) {
      const char* name = nullptr;
      if (!(*set)->runs_here()) continue;
      const nibble_kernel kernel = (*set)->find(step->kind, step->parameters.get(), &name);
      if (kernel == nullptr || std::strcmp((*set)->name, "reference") == 0) continue;
      ++taken[(*set)->name][name];
      if (const auto found = difference(*step, kernel); found && ++faults <= 10)
        std::printf("%s/%s: %s\n", (*set)->name, name, found->c_str());
      if (step->kind == NIBBLE_KIND_CONV && (*set)->finish && !finishes_as_specified(*step, (*set)->finish) &&
          ++faults <= 10)
        std::printf("%s: finishes other sums otherwise:%s\n", (*set)->name, step->text.c_str());
    }
  }
  for (const auto& [set, kernels] : taken)
    for (const auto& [kernel, times] : kernels) std::printf("%s/%s: %d steps\n", set.c_str(), kernel.c_str(), times);
  for (int i = 2; i < count; ++i)
    if (taken.count(words[i]) == 0) ++faults, std::printf("%s: took no step (expected it to run here)\n", words[i]);
  std::printf("%d faults\n", faults);
  return steps == 0 || faults != 0;
}
