#include <gtest/gtest.h>

#include <string>

#include "equal/kernels/cases.hpp"

using namespace nibble::test;

extern "C" {
#if defined(NIBBLE_EMULATED_SETS)
extern const nibble_kernel_set nibble_amx_emulated, nibble_avx512vnni_emulated, nibble_avxvnni_emulated;
#endif
}

namespace {

/// Every set that runs here, those that are emulated too, but for the reference.
std::vector<const nibble_kernel_set*> sets() {
  std::vector<const nibble_kernel_set*> found;
#if defined(NIBBLE_EMULATED_SETS)
  found = {&nibble_amx_emulated, &nibble_avx512vnni_emulated, &nibble_avxvnni_emulated};
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

TEST(KernelSets, OfVectorsTakeEveryConvolutionOfBytesAndBlockedWeights) {
  int taken = 0, tiles = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const auto c = conv_case(seed, {.x_type = NIBBLE_U8, .depthwise = seed % 2 == 0});
    const auto& p = *static_cast<const nibble_conv*>(c->parameters.get());
    if (p.w_format != NIBBLE_BLOCKED || p.w_bits != 8 || p.acc_type != NIBBLE_I32) continue;
    for (const nibble_kernel_set* set : sets()) {
      if (set->name == std::string("portable")) continue;
      // Tiles are for what is dense and wide and cut into equal steps; the next set takes the rest.
      const int64_t positions = int64_t{p.batch} * p.out[0] * p.out[1] * p.out[2];
      const bool wide = p.groups == 1 && p.in_channels % 8 == 0 && p.in_channels <= 64 &&
                        p.kernel[0] * p.kernel[1] == 1 && p.kernel[2] == 1 &&
                        int64_t{p.in_channels} * p.out_channels >= 768 && positions > 1;
      if (std::string(set->name).starts_with("amx") && !wide) continue;
      tiles += std::string(set->name) == "amx_emulated";
      EXPECT_TRUE(found(*set, *c)) << set->name << ":" << c->text;
      ++taken;
    }
  }
  EXPECT_TRUE(sets().size() <= 1 || taken > 0);
#if defined(NIBBLE_EMULATED_SETS)
  EXPECT_GT(tiles, 0);
#endif
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

namespace {

/// 1x1 over a row of `positions`: every byte of x is `x`, every weight's stored bits are ones (-1, or all codes at their
/// highest) or, of 8 bits, `weight`.
CasePointer extreme(int32_t x_type, int x, int weight, int bits, int32_t positions, int32_t channels) {
  auto c = std::make_unique<Case>();
  nibble_conv p{};
  p.x_type = x_type, p.y_type = NIBBLE_I32, p.w_type = NIBBLE_I8, p.acc_type = NIBBLE_I32;
  p.w_format = NIBBLE_BLOCKED, p.w_bits = bits, p.w_low = -1, p.w_step = 1;
  p.batch = p.groups = 1, p.in_channels = channels, p.out_channels = 33;
  for (int k = 0; k < 3; ++k)
    p.in[k] = p.out[k] = k == 2 ? positions : 1, p.kernel[k] = p.stride[k] = p.dilation[k] = 1;
  for (int k = 0; k < 4; ++k)
    p.x_stride[k] = k == 3 ? channels : positions * channels, p.y_stride[k] = k == 3 ? 33 : positions * 33;
  p.stage.low = INT32_MIN, p.stage.high = INT32_MAX;
  const auto stored = static_cast<uint8_t>(bits == 8 ? weight : 0xff);
  p.weights = constant(*c, std::vector<uint8_t>(static_cast<size_t>(48 * channels * bits / 8), stored));
  p.pair_saturates = constant(*c, std::vector<uint8_t>(3, 1));
  c->in.push_back(
      std::vector<uint8_t>(static_cast<size_t>(positions * channels + NIBBLE_SLACK), static_cast<uint8_t>(x)));
  c->out_bytes = int64_t{4} * positions * 33;
  return finished(std::move(c), NIBBLE_KIND_CONV, p);
}

}  // namespace

TEST(KernelSets, SumTheExtremesOfBytesAndCodesWithoutSaturation) {
  for (const int bits : {8, 4, 2, 1})
    for (const int32_t positions : {1, 7, 13})
      for (const auto& [type, x] : {std::pair{NIBBLE_U8, 255}, {NIBBLE_U8, 128}, {NIBBLE_I8, -128}, {NIBBLE_I8, 127}})
        for (const int weight : {-128, 127}) {
          const auto c = extreme(type, x, weight, bits, positions, 1028);
          for (const nibble_kernel_set* set : sets())
            if (const nibble_kernel kernel = found(*set, *c)) {
              const auto differs = difference(*c, kernel);
              ASSERT_FALSE(differs) << set->name << ": " << *differs;
            }
        }
}

TEST(KernelSets, AreTheReferenceOnWindowsOfThreeByThree) {
  int transformed = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const auto c = conv_case(seed, {.x_type = seed % 3 == 0 ? NIBBLE_I8 : NIBBLE_U8, .three = true});
    for (const nibble_kernel_set* set : sets())
      if (const nibble_kernel kernel = found(*set, *c)) {
        const auto differs = difference(*c, kernel);
        ASSERT_FALSE(differs) << set->name << ": " << *differs;
        const char* name = nullptr;
        set->find(c->kind, c->parameters.get(), &name);
        transformed += name == std::string("winograd16");
      }
  }
  for (const nibble_kernel_set* set : sets())
    EXPECT_TRUE(set->name != std::string("avx2") || transformed > 20) << transformed;
}

/// Positions of few channels share a register; a long row is taken in parts.
TEST(KernelSets, AreTheReferenceOnLongRowsOfFewChannels) {
  int few = 0;
  for (uint64_t seed = 0; seed < 90; ++seed) {
    const auto c = conv_case(seed, {.x_type = seed % 3 == 0 ? NIBBLE_I8 : NIBBLE_U8,
                                    .depthwise = true,
                                    .three = true,
                                    .width = static_cast<int32_t>(seed % 2 == 0 ? 3 + seed : 200 + 7 * seed),
                                    .products = 1 << 24});
    const auto& p = *static_cast<const nibble_conv*>(c->parameters.get());
    if (p.out_channels > 17) continue;
    few += p.out_channels % 4 == 0 && p.x_stride[3] == p.in_channels && p.y_stride[3] == p.in_channels;
    for (const nibble_kernel_set* set : sets())
      if (const nibble_kernel kernel = found(*set, *c)) {
        const auto differs = difference(*c, kernel);
        ASSERT_FALSE(differs) << set->name << ": " << *differs;
      }
  }
  EXPECT_GT(few, 5);
}

/// What is multiplied by a transform reaches further than bytes do: the most channels, the furthest bytes.
TEST(KernelSets, TransformTheExtremesOfBytesWithinTheirBounds) {
  for (const auto& [type, x] : {std::pair{NIBBLE_U8, 255}, {NIBBLE_I8, -128}})
    for (const int weight : {-128, 127}) {
      auto c = extreme(type, x, weight, 8, 1, 9 * 1792);
      nibble_conv p = *static_cast<const nibble_conv*>(c->parameters.get());
      p.in_channels = 1792, p.out_channels = 33;
      for (int k = 1; k < 3; ++k) p.kernel[k] = 3, p.in[k] = p.out[k] = 6, p.pad[k] = 1;
      for (int k = 0; k < 4; ++k) {
        const int64_t pixels = k == 3 ? 1 : k == 2 ? 6 : 36;
        p.x_stride[k] = pixels * 1792, p.y_stride[k] = pixels * 33;
      }
      c->in = {std::vector<uint8_t>(36 * 1792 + NIBBLE_SLACK, static_cast<uint8_t>(x))};
      c->out_bytes = int64_t{4} * 36 * 33;
      c = finished(std::move(c), NIBBLE_KIND_CONV, p);
      for (const nibble_kernel_set* set : sets())
        if (const nibble_kernel kernel = found(*set, *c)) {
          const auto differs = difference(*c, kernel);
          ASSERT_FALSE(differs) << set->name << ": " << *differs;
        }
    }
}
