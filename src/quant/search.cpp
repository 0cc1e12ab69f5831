#include "quant/search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nibble::quant {
namespace {

double squared_error(std::span<const Weighted> values, const Grid& grid, Rounding rounding) {
  double sum = 0;
  for (const Weighted& each : values) {
    const double error = each.value - grid.real(grid.quantise(each.value, 0, rounding), 0);
    sum += each.weight * error * error;
  }
  return sum;
}

RealRange clipped(RealRange whole, double part) {
  return {whole.low * part, whole.high * part};
}

}  // namespace

RealRange least_squares(std::span<const Weighted> values, RealRange whole, const GridSpec& spec) {
  double best_part = 1, least = std::numeric_limits<double>::infinity();
  const auto scan = [&](double from, double to, int steps) {
    for (int i = 0; i <= steps; ++i) {
      const double part = from + (to - from) * i / steps;
      if (part <= 0) continue;
      const Grid grid = grid_over(clipped(whole, part), spec, "search");
      const double error = squared_error(values, grid, spec.rounding);
      if (error < least) {
        least = error;
        best_part = part;
      }
    }
  };
  scan(0.05, 1, 38);
  // With far outliers the error has a second minimum, in a part this small.
  for (double highest = 0.05; highest > 0x1p-12; highest /= 2) scan(highest / 2, highest, 2);
  const double reach = std::min(0.025, best_part / 4);
  scan(best_part - reach, std::min(1.0, best_part + reach), 20);
  return clipped(whole, best_part);
}

RealRange least_error(std::span<const Weighted> values, RealRange whole, const GridSpec& spec,
                      const std::function<double(double)>& f) {
  std::vector<double> wanted;
  for (const Weighted& each : values) wanted.push_back(f ? f(each.value) : each.value);
  const auto error = [&](const RealRange& range) {
    const Grid grid = grid_over(range, spec, "search");
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double real = grid.real(grid.quantise(values[i].value, 0, spec.rounding), 0);
      const double miss = (f ? f(real) : real) - wanted[i];
      sum += values[i].weight * miss * miss;
    }
    return sum;
  };
  RealRange best = whole;
  double least = error(whole);
  const auto scan = [&](double RealRange::*end, double from, double to, int steps) {
    for (int i = 0; i <= steps; ++i) {
      RealRange range = best;
      range.*end = whole.*end * (from + (to - from) * i / steps);
      if (range.low == best.low && range.high == best.high) continue;
      if (const double found = error(range); found < least) least = found, best = range;
    }
  };
  for (double RealRange::*end : {&RealRange::high, &RealRange::low, &RealRange::high, &RealRange::low}) {
    if (whole.*end == 0) continue;
    scan(end, 0.05, 1, 19);
    const double part = best.*end / (whole.*end);
    scan(end, std::max(part - 0.04, 0.0), std::min(part + 0.04, 1.0), 8);
  }
  return best;
}

RealRange least_divergence(std::span<const Weighted> bins, RealRange whole, const GridSpec& spec) {
  double best_part = 1, least = std::numeric_limits<double>::infinity();
  double total = 0;
  for (const Weighted& bin : bins) total += bin.weight;
  for (int i = 5; i <= 100; ++i) {
    const RealRange range = clipped(whole, i / 100.0);
    const Grid grid = grid_over(range, spec, "search");
    // p: the histogram with what lies outside added to its end bins; q: each level's mass spread over its occupied
    // bins.
    std::vector<double> mass(static_cast<size_t>(grid.levels())), occupied(mass.size());
    const auto level_of = [&](double x) { return static_cast<size_t>(grid.quantise(x, 0, spec.rounding) - grid.low); };
    const auto inside = [&](const Weighted& bin) {
      return bin.weight > 0 && bin.value >= range.low && bin.value <= range.high;
    };
    double below = 0, above = 0, first = 0, last = 0;
    bool any_inside = false;
    for (const Weighted& bin : bins) {
      if (bin.value < range.low) below += bin.weight;
      if (bin.value > range.high) above += bin.weight;
      if (!inside(bin)) continue;
      mass[level_of(bin.value)] += bin.weight;
      occupied[level_of(bin.value)] += 1;
      if (!any_inside) first = bin.value;
      last = bin.value;
      any_inside = true;
    }
    if (!any_inside) continue;
    double divergence = 0;
    const double kept = total - below - above;
    for (const Weighted& bin : bins) {
      if (!inside(bin)) continue;
      const double p = (bin.weight + (bin.value == first ? below : 0) + (bin.value == last ? above : 0)) / total;
      const size_t level = level_of(bin.value);
      divergence += p * std::log(p / (mass[level] / occupied[level] / kept));
    }
    if (divergence < least) {
      least = divergence;
      best_part = i / 100.0;
    }
  }
  return clipped(whole, best_part);
}

}  // namespace nibble::quant
