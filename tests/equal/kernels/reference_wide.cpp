#include "base/division.hpp"
#include "base/integer_root.hpp"
#include "equal/kernels/laid.hpp"

namespace nibble::tests {
namespace {

int128 whole(nibble_wide a) {
  return static_cast<int128>((static_cast<uint128>(static_cast<uint64_t>(a.high)) << 64) | a.low);
}
nibble_wide wide(int128 a) {
  return {static_cast<int64_t>(a >> 64), static_cast<uint64_t>(a)};
}
int64_t narrow(int128 a) {
  return static_cast<int64_t>(std::clamp<int128>(a, INT64_MIN, INT64_MAX));
}
constexpr int128 most = static_cast<int128>(~uint128{0} >> 1), least = -most - 1;

/// Of any magnitude below 2^bits, extremes and whole powers among them.
int128 any_wide(Random& random, int bits = 127) {
  const auto all = (static_cast<uint128>(random.bits()) << 64) | random.bits();
  const int128 drawn = static_cast<int128>(all) >> (128 - bits + static_cast<int>(random.below(126)) % bits);
  if (random.below(8) == 0) return any_integer(random);
  if (random.below(8) == 0)
    return (int128{1} << random.below(static_cast<uint64_t>(bits))) - static_cast<int>(random.below(2));
  return drawn;
}

}  // namespace

TEST(Wide, ProductsSumsAndShiftsAreThoseOf128Bits) {
  Random random(1);
  for (int i = 0; i < 200000; ++i) {
    const int64_t x = any_integer(random), y = any_integer(random);
    const int128 a = any_wide(random), b = any_wide(random);
    const auto shift = static_cast<int64_t>(random.below(128));
    EXPECT_TRUE(whole(nibble_wide_product(x, y)) == static_cast<int128>(x) * y) << x << " " << y;
    EXPECT_TRUE(whole(nibble_wide_of(x)) == x) << x;
    EXPECT_TRUE(whole(nibble_wide_sum(wide(a), wide(b))) ==
                static_cast<int128>(static_cast<uint128>(a) + static_cast<uint128>(b)));
    EXPECT_TRUE(whole(nibble_wide_negated(wide(a))) == static_cast<int128>(-static_cast<uint128>(a)));
    EXPECT_TRUE(whole(nibble_wide_shift_up(wide(a), shift)) == static_cast<int128>(static_cast<uint128>(a) << shift));
    EXPECT_EQ(nibble_wide_shift_down(wide(a), shift), narrow(a >> shift)) << shift;
    EXPECT_EQ(nibble_wide_sign(wide(a)), (a > 0) - (a < 0));
    const auto [low, high] = std::minmax(x, y);
    EXPECT_EQ(nibble_wide_clip(wide(a), low, high), std::clamp<int128>(a, low, high)) << low << " " << high;
    EXPECT_EQ(nibble_shift_down(x, shift), x >> std::min<int64_t>(shift, 63)) << x << " " << shift;
    if (HasFailure()) return;
  }
  for (int128 a : {least, most, int128{INT64_MIN}, int128{INT64_MIN} - 1, int128{INT64_MAX}, int128{INT64_MAX} + 1})
    for (int64_t shift : {0, 1, 62, 63, 64, 65, 126, 127})
      EXPECT_EQ(nibble_wide_shift_down(wide(a), shift), narrow(a >> shift)) << shift;
}

TEST(Wide, QuotientsAreThoseOf128BitsRoundedAsAsked) {
  Random random(2);
  for (int i = 0; i < 100000; ++i) {
    int128 d = any_wide(random), a = any_wide(random);
    if (d <= 0) d = d == least ? most : d == 0 ? 1 : -d;
    if (random.below(4) == 0) d = (d & 255) + 1;
    if (random.below(4) == 0 && d < (int128{1} << 60)) a = d * between(random, -1000000, 1000000) / 2;  // ties
    nibble_wide rest;
    const int128 quotient = floor_divide(a, d), remains = a - quotient * d;
    EXPECT_TRUE(whole(nibble_wide_divide(wide(a), wide(d), &rest)) == quotient);
    EXPECT_TRUE(whole(rest) == remains);
    EXPECT_EQ(nibble_wide_floor(wide(a), wide(d)), narrow(quotient));
    const bool half = remains == d - remains, up = remains > d - remains;
    EXPECT_TRUE(whole(nibble_wide_rounded(wide(a), wide(d), 0)) == quotient);
    EXPECT_TRUE(whole(nibble_wide_rounded(wide(a), wide(d), 1)) == quotient + (up || half));
    EXPECT_TRUE(whole(nibble_wide_rounded(wide(a), wide(d), 2)) == quotient + (up || (half && quotient % 2 != 0)));
    int64_t by = any_integer(random);
    if (by == 0) by = 1;
    int fault = NIBBLE_FINE;
    if (a == least) a = most;
    EXPECT_EQ(nibble_wide_quotient(wide(a), by, &fault), narrow(a / by)) << by;
    EXPECT_EQ(fault, NIBBLE_FINE);
    if (HasFailure()) return;
  }
}

TEST(Wide, ADivisionOf64BitsByZeroIsAFaultAndByMinusOneWraps) {
  int fault = NIBBLE_FINE;
  EXPECT_EQ(nibble_quotient(INT64_MIN, -1, &fault), INT64_MIN);
  EXPECT_EQ(fault, NIBBLE_FINE);
  nibble_quotient(1, 0, &fault);
  EXPECT_EQ(fault, NIBBLE_DIVISION_BY_ZERO);
  fault = NIBBLE_FINE;
  nibble_wide_quotient(nibble_wide_of(1), 0, &fault);
  EXPECT_EQ(fault, NIBBLE_DIVISION_BY_ZERO);
}

TEST(Wide, RootsAreTheEvaluators) {
  Random random(3);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t root = random.bits() >> 32 >> random.below(32);
    for (const uint64_t x : {random.bits() >> random.below(64), root * root, root * root - 1, root * root + 1})
      ASSERT_EQ(nibble_root(x), integer_root(x)) << x;
  }
  for (const uint64_t x : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{1} << 63})
    EXPECT_EQ(nibble_root(x), integer_root(x));
}

}  // namespace nibble::tests
