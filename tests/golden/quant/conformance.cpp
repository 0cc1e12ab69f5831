#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "quant/learning/annealing.hpp"
#include "quant/learning/learning.hpp"
#include "quant/range.hpp"
#include "quant/sawb.hpp"

/// ../shared/conformance/vectors.json: every vector that concerns quantisers and training, read from the file.
namespace nibble::quant {
namespace {

using Floats = std::vector<float>;

Floats floats(const Json& json) {
  Floats values;
  for (const Json& each : json) values.push_back(each.get<float>());
  return values;
}

Floats filled(size_t count) {
  return Floats(count, 1.0f);
}

void expect_near(const Floats& found, const Json& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(static_cast<double>(found[i]), expected[i].get<double>(), tolerance) << what << " " << i;
}

struct Run {
  Floats y, dx;
  GradientSums sums;
};

/// Forward, and backward from x and from codes, which agree but for the residue's digits.
Run run(const Floats& x, const Floats& g, const Steps& steps) {
  Run result{Floats(x.size()), Floats(x.size()), {}};
  std::vector<Code> codes(x.size());
  Floats from_codes(x.size());
  fake_quantise(x, steps, result.y, codes);
  result.sums = fake_quantise_backward(g, std::span<const float>(x), steps, result.dx);
  const GradientSums coded = fake_quantise_backward(g, std::span<const Code>(codes), steps, from_codes);
  EXPECT_EQ(result.dx, from_codes);
  EXPECT_EQ(result.sums.below, coded.below);
  EXPECT_EQ(result.sums.above, coded.above);
  double most = 1e-6;
  for (float each : g) most += std::abs(static_cast<double>(each)) / 500;
  EXPECT_NEAR(result.sums.inside, coded.inside, most);
  return result;
}

Steps steps(double scale, int32_t low, int64_t levels, Rounding rounding) {
  Steps result;
  result.scale = static_cast<float>(scale);
  result.low = low;
  result.high = low + static_cast<int32_t>(levels - 1);
  result.rounding = rounding;
  result.end = result.most();
  return result;
}

constexpr Pact pact;

void pact_unsigned(const Json& in, const Json& expected, double tolerance) {
  const int64_t n = in.at("n_levels");
  const double scale = scale_of_learned(pact, in.at("clip_hi"), static_cast<double>(n - 1));
  const Rounding rounding = in.at("rounding") == "floor" ? Rounding::Floor : Rounding::HalfEven;
  EXPECT_NEAR(scale, expected.at("eps").get<double>(), tolerance);
  const Run result = run(floats(in.at("x")), floats(in.at("grad_out")), steps(scale, 0, n, rounding));
  expect_near(result.y, expected.at("y"), tolerance, "y");
  expect_near(result.dx, expected.at("grad_x"), tolerance, "grad_x");
  EXPECT_EQ(result.sums.below, expected.at("grad_clip_lo")[0].get<double>());
  EXPECT_EQ(result.sums.above, expected.at("grad_clip_hi")[0].get<double>());
}

void pact_signed(const Json& in, const Json& expected, double tolerance) {
  const int64_t n = in.at("n_levels");
  const RealRange range = almost_symmetric(in.at("max_val"), n);
  EXPECT_NEAR(range.low, in.at("clip_lo").get<double>(), tolerance);
  EXPECT_NEAR(range.high, in.at("clip_hi").get<double>(), tolerance);
  const Grid grid = grid_over(range, {n, Symmetry::Symmetric, Rounding::HalfEven}, "x");
  EXPECT_EQ(grid.scale[0], expected.at("eps").get<double>());
  const Floats x = floats(in.at("x"));
  const Run result = run(x, filled(x.size()), steps_of(grid, Rounding::HalfEven, 0));
  expect_near(result.y, expected.at("y"), tolerance, "y");
  expect_near(result.dx, expected.at("grad_x"), tolerance, "grad_x");
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(result.y[i] / static_cast<float>(grid.scale[0]), expected.at("x_int")[i].get<float>());
  EXPECT_EQ(result.sums.below, expected.at("grad_clip_lo")[0].get<double>());
  EXPECT_EQ(result.sums.above, expected.at("grad_clip_hi")[0].get<double>());
}

void almost_symmetric_table(const Json& in, const Json& expected, double tolerance) {
  for (const auto& [n, bounds] : expected.items()) {
    const RealRange range = almost_symmetric(in.at("max_val"), std::stoll(n));
    EXPECT_NEAR(range.low, bounds[0].get<double>(), tolerance) << n;
    EXPECT_NEAR(range.high, bounds[1].get<double>(), tolerance) << n;
  }
}

void tqt(const Json& in, const Json& expected, double tolerance) {
  const Tqt learning{{}, false, true, in.at("clip_grad"), in.at("beta")};
  const int64_t n = in.at("n_levels");
  const double scale = scale_of_learned(learning, in.at("log_t"), static_cast<double>(n - 1));
  EXPECT_NEAR(scale, expected.at("eps").get<double>(), tolerance);
  const Steps grid = steps(scale, 0, n, Rounding::HalfEven);
  const Run result = run(floats(in.at("x")), floats(in.at("grad_out")), grid);
  expect_near(result.y, expected.at("y"), tolerance, "y");
  expect_near(result.dx, expected.at("grad_x"), tolerance, "grad_x");
  GradientVariance variance{in.at("running_grad_var0"), in.at("running_beta0")};
  const double raw = gradient_of_learned(learning, result.sums, grid, static_cast<double>(result.y.size()));
  EXPECT_NEAR(variance.normalise(raw, learning.momentum, learning.saturated), expected.at("grad_log_t").get<double>(),
              tolerance);
  EXPECT_NEAR(variance.variance, expected.at("running_grad_var").get<double>(), tolerance);
  EXPECT_NEAR(variance.weight, expected.at("running_beta").get<double>(), tolerance);
}

void sawb(const Json& in, const Json& expected, double tolerance) {
  double square = 0, size = 0;
  const Floats w = floats(in.at("w"));
  for (float each : w)
    square += static_cast<double>(each) * static_cast<double>(each), size += std::abs(static_cast<double>(each));
  square /= static_cast<double>(w.size()), size /= static_cast<double>(w.size());
  for (const auto& [name, bounds] : expected.items()) {
    const int64_t n = std::stoll(name.substr(name.find('/') + 1));
    const bool almost = name.starts_with("sawb_asymm");
    const double clip = sawb_clip(square, size, n, almost, "w");
    const RealRange range = almost ? almost_symmetric(clip, n) : RealRange{-clip, clip};
    EXPECT_NEAR(range.low, bounds.at("clip_lo").get<double>(), tolerance * 10) << name;
    EXPECT_NEAR(range.high, bounds.at("clip_hi").get<double>(), tolerance * 10) << name;
  }
}

/// QuantLab's preset: the range is almost symmetric by construction, so the largest weight is clipped by one level.
void pact_linear(const Json& in, const Json& expected, double tolerance) {
  for (size_t c = 0; c < in.at("weight").size(); ++c) {
    const Floats w = floats(in.at("weight")[c]);
    float largest = 0;
    for (float each : w) largest = std::max(largest, std::abs(each));
    const RealRange range = almost_symmetric(static_cast<double>(largest), in.at("n_levels"));
    EXPECT_NEAR(range.low, expected.at("clip_lo")[c][0].get<double>(), tolerance);
    const Grid grid = grid_over(range, {in.at("n_levels"), Symmetry::Symmetric, Rounding::HalfEven}, "w");
    EXPECT_NEAR(grid.scale[0], expected.at("eps_w")[c][0].get<double>(), tolerance);
    for (size_t i = 0; i < w.size(); ++i)
      EXPECT_EQ(grid.quantise(static_cast<double>(w[i]), 0, Rounding::HalfEven),
                expected.at("weight_int")[c][i].get<int64_t>());
  }
}

Steps ternary() {
  return steps(1, -1, 3, Rounding::HalfUp);
}

void ana(const Json& in, const Json& expected, double tolerance) {
  const Floats x = floats(in.at("x"));
  for (const auto& [name, result] : expected.items()) {
    const size_t slash = name.find('/');
    const Annealed noise{noise_named(name.substr(0, slash)), draw_named(name.substr(slash + 1)), in.at("mi"),
                         in.at("sigma")};
    Floats y(x.size()), dx(x.size());
    anneal(x, ternary(), noise, 0, 0, y);
    anneal_backward(filled(x.size()), x, ternary(), noise, dx);
    expect_near(y, result.at("y"), tolerance, name);
    expect_near(dx, result.at("grad"), tolerance, name);
  }
}

void ana_without_noise(const Json& in, const Json& expected, double tolerance) {
  const Floats x = floats(in.at("x"));
  Floats y(x.size()), dx(x.size());
  anneal(x, ternary(), {}, 0, 0, y);
  anneal_backward(filled(x.size()), x, ternary(), {}, dx);
  expect_near(y, expected.at("y"), tolerance, "y");
  expect_near(dx, expected.at("grad"), tolerance, "grad");
}

/// The levels of GridSpec, and where a level begins.
void ana_levels(const Json&, const Json& expected, double) {
  for (const auto& [text, result] : expected.items()) {
    const Json asked = Json::parse(text);
    const int64_t n = (int64_t{1} << asked.at("nbits").get<int64_t>()) - (asked.at("balanced") ? 1 : 0);
    const Symmetry symmetry = asked.at("signed") ? Symmetry::Symmetric : Symmetry::Unsigned;
    const Grid grid = grid_over({-1, 1}, {n, symmetry, Rounding::HalfUp}, "x");
    std::vector<int64_t> levels;
    for (int64_t q = grid.low; q <= grid.high; ++q) levels.push_back(q);
    EXPECT_EQ(levels, result.at("levels").get<std::vector<int64_t>>()) << text;
    Steps unit = steps_of(grid, Rounding::HalfUp, 0);
    unit.scale = 1;
    for (size_t i = 0; i < result.at("thresholds").size(); ++i) {
      const float t = result.at("thresholds")[i];
      Floats y(2);
      fake_quantise(Floats{std::nextafter(t, -9.0f), t}, unit, y);
      EXPECT_EQ(y, (Floats{static_cast<float>(levels[i]), static_cast<float>(levels[i + 1])})) << text;
    }
  }
}

void ana_schedules(const Json& in, const Json& expected, double tolerance) {
  for (const auto& [name, factors] : expected.items()) {
    AnnealingSchedule schedule{
        .power = name.ends_with("2") ? 2.0 : 1.0, .start = in.at("tstart"), .end = in.at("tend")};
    if (name.starts_with("uws")) schedule.decay = Decay::Hyperbolic, schedule.least = in.at("eps");
    for (size_t i = 0; i < factors.size(); ++i)
      EXPECT_NEAR(annealing_factor(schedule, in.at("t")[i], 0, 1), factors[i].get<double>(), tolerance) << name;
  }
}

/// QuantLab's numbers of powers; ours has one more for an odd number of levels (ternary has three levels).
void inq(const Json& in, const Json& expected, double tolerance) {
  const Floats w = floats(in.at("w"));
  const float s = in.at("s");
  for (const auto& [name, stages] : expected.items()) {
    const int64_t n = std::stoll(name.substr(name.find("n=") + 2));
    const Floats levels = name.starts_with("uniform") ? Floats{-s, 0, s}
                          : n == 2                    ? Floats{-s / 2, s / 2}
                                                      : powers_of_two(static_cast<double>(s), n / 2 - 1);
    Floats now = w;
    std::vector<uint8_t> set(w.size());
    for (const auto& [stage, fraction] : {std::pair{"after_0_5", 0.5}, std::pair{"after_1_0", 1.0}}) {
      set_on_levels(now, set, fraction, Partition::Magnitude, levels, Random(1));
      if (!stages.contains(stage)) continue;
      for (size_t i = 0; i < w.size(); ++i) {
        const Json& value = stages.at(stage)[i];
        EXPECT_EQ(set[i] == 0, value.is_null()) << name << stage << i;
        EXPECT_NEAR(static_cast<double>(now[i]), value.is_null() ? static_cast<double>(w[i]) : value.get<double>(),
                    tolerance)
            << name << stage << i;
      }
    }
  }
  EXPECT_EQ(powers_of_two(0.9, powers_of_levels(3)), (Floats{-1, 0, 1}));
}

/// An even number of levels has none at zero.
void ste(const Json& in, const Json& expected, double tolerance) {
  const Floats x = floats(in.at("x"));
  for (const auto& [n, result] : expected.items()) {
    const int64_t levels = std::stoll(n);
    Steps each =
        steps(2 * in.at("abs_max").get<double>() / static_cast<double>(levels - 1), 0, levels, Rounding::HalfEven);
    each.origin = -static_cast<double>(levels - 1) / 2;
    each.end = each.most();
    const Run found = run(x, filled(x.size()), each);
    expect_near(found.y, result.at("y"), tolerance, "y " + n);
    expect_near(found.dx, result.at("grad"), tolerance, "grad " + n);
  }
}

/// The rows of binary document a defect of the source: {-eps, 0} where {-eps, +eps} is right.
void legacy(const Json& in, const Json& expected, double tolerance) {
  struct Row {
    double scale;
    int32_t low;
    int64_t levels;
  };
  const std::map<std::string, Row> rows{{"int2 z=-2 n=4 eps=.5", {0.5, -2, 4}},
                                        {"uint2 z=0 n=4 eps=.25", {0.25, 0, 4}},
                                        {"ternary z=-1 n=3 eps=.5", {0.5, -1, 3}},
                                        {"asym z=-1 n=4 eps=.5", {0.5, -1, 4}},
                                        {"binary z=-1 n=2 step=2 eps=.5", {1.0, 0, 2}}};
  const Floats x = floats(in.at("x"));
  for (const auto& [name, result] : expected.items()) {
    const size_t slash = name.find('/');
    const Row& row = rows.at(name.substr(0, slash));
    const bool binary = name.starts_with("binary");
    Steps each = steps(row.scale, row.low, row.levels, name.ends_with("floor") ? Rounding::Floor : Rounding::HalfUp);
    if (binary) each.origin = -0.5, each.end = 0.5;
    const Run found = run(x, filled(x.size()), each);
    Json right = result.at("y");
    if (binary)
      for (Json& y : right) y = y.get<double>() < 0 ? -0.5 : 0.5;
    expect_near(found.y, right, tolerance, name);
    expect_near(found.dx, result.at("grad_x"), tolerance, name);
    EXPECT_EQ(found.sums.below, result.at("g_lo")[0].get<double>()) << name;
    EXPECT_EQ(found.sums.above, result.at("g_hi")[0].get<double>()) << name;
  }
}

void legacy_scale(const Json&, const Json& expected, double tolerance) {
  for (const auto& [spec, result] : expected.items())
    for (const auto& [text, scale] : result.at("scale").items()) {
      const Json ends = Json::parse(text);
      const auto low = result.at("z").get<double>(), high = low + result.at("n").get<double>() - 1;
      const double step = result.at("step"), a = ends[0], b = ends[1];
      if (step != 1) {
        EXPECT_NEAR(std::max(-a, b), scale.get<double>(), tolerance);
        continue;
      }
      const double covering = std::max(high > 0 ? b / high : 0, low < 0 ? a / low : 0);
      EXPECT_NEAR(covering, scale.get<double>(), tolerance) << spec << text;
      if (low != -std::floor(result.at("n").get<double>() / 2) && low != 0) continue;
      const Grid grid = grid_over(
          {a, b}, {result.at("n"), low == 0 ? Symmetry::Unsigned : Symmetry::Symmetric, Rounding::HalfUp}, "x");
      EXPECT_NEAR(grid.scale[0], scale.get<double>(), tolerance) << spec << text;
    }
}

/// A defect: the factor is inverted. A sound range is covered, with real zero on the grid.
void legacy_zero_scale(const Json& in, const Json& expected, double) {
  const Grid grid = grid_over({in.at("a"), in.at("b")}, {in.at("n"), Symmetry::Asymmetric, Rounding::HalfUp}, "x");
  EXPECT_GT(std::abs(grid.scale[0] - expected.at("scale").get<double>()), 1000);
  EXPECT_LE(grid.real(grid.low, 0), in.at("a").get<double>() + grid.scale[0] / 2);
  EXPECT_GE(grid.real(grid.high, 0), in.at("b").get<double>() - grid.scale[0] / 2);
  EXPECT_EQ(grid.real(grid.zero_point, 0), 0);
}

/// NEMO's preset: floor, gradients to the end of the highest cell, and a clip one level above alpha's own grid; its
/// gradient of alpha goes through eps, too.
void nemo_activation(const Json& in, const Json& expected, double tolerance) {
  const int64_t n = int64_t{1} << in.at("bits").get<int64_t>();
  Steps each = steps(in.at("alpha").get<double>() / static_cast<double>(n - 1), 0, n, Rounding::Floor);
  each.end = each.most() + 1;
  const Floats x = floats(in.at("x"));
  const Run found = run(x, filled(x.size()), each);
  expect_near(found.y, expected.at("y"), tolerance, "y");
  expect_near(found.dx, expected.at("grad_x"), tolerance, "grad_x");
  EXPECT_NEAR(found.sums.above * (1 + 1 / static_cast<double>(n - 1)), expected.at("grad_alpha")[0].get<double>(),
              tolerance);
}

/// NEMO's preset. Its gradient of w ignores the clip and that of alpha has the wrong sign; ours are masked, and minus
/// the sum below is that of alpha where the bound is -alpha.
void nemo_weights(const Json& in, const Json& expected, double tolerance) {
  const int64_t n = int64_t{1} << in.at("bits").get<int64_t>();
  const double alpha = in.at("alpha"), beta = in.at("beta"), eps = (alpha + beta) / static_cast<double>(n - 1);
  EXPECT_NEAR(eps, expected.at("eps").get<double>(), tolerance);
  const Floats w = floats(in.at("w"));
  const Run found = run(w, floats(in.at("grad_out")),
                        steps(eps, -static_cast<int32_t>(std::ceil(alpha / eps)), n, Rounding::HalfEven));
  expect_near(found.y, expected.at("w_q"), tolerance, "w_q");
  EXPECT_EQ(found.sums.below, expected.at("grad_alpha")[0].get<double>());
  EXPECT_EQ(found.sums.above, expected.at("grad_beta")[0].get<double>());
  EXPECT_EQ(found.dx.front(), 0);
  EXPECT_EQ(found.dx.back(), 0);
}

void symmetric_document(const Json& in, const Json& expected, double tolerance) {
  const Steps pixels = steps(1.0 / 255, -128, 256, Rounding::HalfUp);
  for (size_t r = 0; r < in.at("W").size(); ++r) {
    const Floats w = floats(in.at("W")[r]);
    expect_near(run(w, filled(w.size()), pixels).y, expected.at("deq")[r], tolerance, "deq");
    const Grid grid = grid_of_weights(Tensor({3}, w), -1, {256, Symmetry::Narrow, Rounding::HalfUp}, {}, "W");
    EXPECT_NEAR(1 / grid.scale[0], expected.at("row_scale")[r].get<double>(), 1e-3);
    for (size_t i = 0; i < w.size(); ++i)
      EXPECT_EQ(grid.quantise(static_cast<double>(w[i]), 0, Rounding::HalfUp),
                expected.at("q_rowwise")[r][i].get<int64_t>());
  }
}

void exact_grid(const Json& in, const Json& expected, double) {
  Floats x;
  for (const Json& each : in.at("x")) x.push_back(std::stof(each.get<std::string>()));
  for (const auto& [name, levels] : expected.items()) {
    int low = 0, n = 0;
    ASSERT_EQ(std::sscanf(name.c_str(), "z=%d,n=%d", &low, &n), 2);
    const Rounding rounding = rounding_named(name.substr(name.rfind(',') + 1));
    const Floats y = run(x, filled(x.size()), steps(0.25, low, n, rounding)).y;
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i] * 4, levels[i].get<float>()) << name << i;
  }
}

/// QuantLab's preset: the largest range of the inputs is everyone's, over one level less.
void harmonised_add(const Json& in, const Json& expected, double tolerance) {
  const double n = in.at("n_levels_in");
  const Json &a = in.at("in0_unsigned"), &b = in.at("in1_signed");
  const double range = std::max(a[1].get<double>() - a[0].get<double>(), b[1].get<double>() - b[0].get<double>());
  const double eps = range / (n - 1);
  EXPECT_NEAR((n - 1) * eps, expected.at("in0")[1].get<double>(), tolerance);
  EXPECT_NEAR(-n / 2 * eps, expected.at("in1")[0].get<double>(), 1e-5);
  EXPECT_NEAR((n / 2 - 1) * eps, expected.at("in1")[1].get<double>(), 1e-5);
}

using Check = std::function<void(const Json& inputs, const Json& expected, double tolerance)>;

const std::map<std::string, Check>& checks() {
  static const std::map<std::string, Check> all{{"pact_unsigned_n4_floor", pact_unsigned},
                                                {"pact_unsigned_n4_round", pact_unsigned},
                                                {"pact_signed_n16_round", pact_signed},
                                                {"almost_symm_quant_table", almost_symmetric_table},
                                                {"tqt_unsigned_raw", tqt},
                                                {"tqt_unsigned_tanh", tqt},
                                                {"sawb_bounds", sawb},
                                                {"pact_linear_weights_bias_int", pact_linear},
                                                {"ana_forward_backward_sigma0.5", ana},
                                                {"ana_sigma_zero", ana_without_noise},
                                                {"ana_levels", ana_levels},
                                                {"ana_schedules", ana_schedules},
                                                {"inq_pow2_magnitude", inq},
                                                {"ste_activation", ste},
                                                {"ql_legacy_quantiser", legacy},
                                                {"ql_legacy_get_scale", legacy_scale},
                                                {"ql_legacy_get_zero_scale", legacy_zero_scale},
                                                {"nemo_pact_act", nemo_activation},
                                                {"nemo_pact_weight_asymm", nemo_weights},
                                                {"seed003_symmetric", symmetric_document},
                                                {"exact_quantiser_grid", exact_grid},
                                                {"harmonised_add", harmonised_add}};
  return all;
}

TEST(Conformance, EveryVectorOfQuantisersAndTrainingHolds) {
  const std::filesystem::path file = NIBBLE_SOURCE "/../shared/conformance/vectors.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no ../shared/conformance/vectors.json";
  std::ifstream stream(file);
  std::set<std::string> left;
  for (const auto& [name, check] : checks()) left.insert(name);
  const Json whole = Json::parse(stream);
  for (const Json& vector : whole.at("vectors")) {
    const std::string id = vector.at("id");
    const auto found = checks().find(id);
    if (found == checks().end()) continue;
    SCOPED_TRACE(id);
    const Json& tolerance = vector.at("tolerance");
    found->second(vector.at("inputs"), vector.at("expected"), tolerance.get<double>());
    left.erase(id);
  }
  EXPECT_TRUE(left.empty()) << "the file has no " << (left.empty() ? "" : *left.begin());
}

}  // namespace
}  // namespace nibble::quant
