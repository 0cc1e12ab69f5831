#include "base/random.hpp"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace nibble {
namespace {

uint64_t splitmix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) : state{} {
  for (uint64_t& word : state) word = splitmix(seed);
}

uint64_t Random::bits() {
  const uint64_t result = std::rotl(state[1] * 5, 7) * 9;
  const uint64_t t = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= t;
  state[3] = std::rotl(state[3], 45);
  return result;
}

double Random::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1p-53;
}

uint64_t Random::below(uint64_t bound) {
  const uint64_t reject = -bound % bound;
  for (;;) {
    const uint64_t drawn = bits();
    if (drawn >= reject) return drawn % bound;
  }
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log1p(-uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

Random Random::fork(uint64_t index) const {
  uint64_t seed = state[0] ^ std::rotl(state[3], 17) ^ (index * 0xd1342543de82ef95U);
  return Random(splitmix(seed));
}

std::vector<int64_t> Random::permutation(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace nibble
