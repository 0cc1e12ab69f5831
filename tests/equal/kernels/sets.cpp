#include <gtest/gtest.h>

#include <string>

#include "equal/kernels/cases.hpp"

using namespace nibble::test;

extern "C" {
#if defined(NIBBLE_EMULATED_SETS)
extern const nibble_kernel_set nibble_avx512vnni_emulated, nibble_avxvnni_emulated;
#endif
}

namespace {

/// Every set that runs here, those that are emulated too, but for the reference.
std::vector<const nibble_kernel_set*> sets() {
  std::vector<const nibble_kernel_set*> found;
#if defined(NIBBLE_EMULATED_SETS)
  found = {&nibble_avx512vnni_emulated, &nibble_avxvnni_emulated};
#endif
  for (auto set = nibble_kernel_sets; *set; ++set) found.push_back(*set);
  std::erase_if(found, [](const nibble_kernel_set* set) {
    return set->runs_here() == 0 || set->name == std::string("reference");
  });
  return found;
}

nibble_kernel found(const nibble_kernel_set& set, const Case& c) {
  const char* name = nullptr;
  const nibble_kernel kernel = set.find(c.kind, c.parameters.get(), &name);
  EXPECT_EQ(kernel != nullptr, name != nullptr && *name != 0) << set.name << ":" << c.text;
  return kernel;
}

}  // namespace

TEST(KernelSets, AreTheReferenceInEveryByteOnRandomSteps) {
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    const auto c = any_case(seed);
    for (const nibble_kernel_set* set : sets())
      if (const nibble_kernel kernel = found(*set, *c)) {
        const auto differs = difference(*c, kernel);
        ASSERT_FALSE(differs) << set->name << ": " << *differs;
      }
  }
}

TEST(KernelSets, TakeEveryConvolutionOfBytesAndBlockedWeights) {
  int taken = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const auto c = conv_case(seed, {.x_type = NIBBLE_U8, .depthwise = seed % 2 == 0});
    const auto& p = *static_cast<const nibble_conv*>(c->parameters.get());
    if (p.w_format != NIBBLE_BLOCKED || p.w_bits != 8 || p.acc_type != NIBBLE_I32) continue;
    for (const nibble_kernel_set* set : sets()) {
      if (set->name == std::string("portable")) continue;
      EXPECT_TRUE(found(*set, *c)) << set->name << ":" << c->text;
      ++taken;
    }
  }
  EXPECT_TRUE(sets().size() <= 1 || taken > 0);
}

TEST(KernelSets, OfProcessorsWithoutVectorsTakeFoldedWeightsOfEveryWidth) {
  int taken = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const auto c =
        conv_case(seed, {.x_type = seed % 3 == 0 ? NIBBLE_I8 : NIBBLE_U8, .depthwise = seed % 2 == 0, .folded = true});
    for (const nibble_kernel_set* set : sets())
      if (const nibble_kernel kernel = found(*set, *c)) {
        const auto differs = difference(*c, kernel);
        ASSERT_FALSE(differs) << set->name << ": " << *differs;
        ++taken;
      }
  }
  EXPECT_GT(taken, 500);
}
