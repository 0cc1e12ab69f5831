#include <bit>
#include <cmath>

#include "base/random.hpp"
#include "train/network/parts.hpp"
#include "train/network/tensor_form.hpp"

/// INQ on tensors: weights that are set on levels, and stay.
namespace nibble::train {
namespace {

class InqForm : public TensorForm {
 public:
  InqForm(const quant::Inq& how, const FormStart& start)
      : how_(how), seed_(start.seed), axis_(std::max(0, start.grid.axis)), powers_(powers_of(start.grid)) {
    set_ = at::zeros(start.weights.sizes(), at::kByte);
    anchors_ = at::zeros(start.weights.sizes(), at::kFloat);
    const int64_t levels = how.power_of_two ? 2 * powers_ + 1 : start.grid.levels();
    level_table_ = at::zeros({static_cast<int64_t>(start.grid.scale.size()), levels}, at::kFloat);
  }

  at::Tensor forward(const at::Tensor& x, const StepsAlong&, int64_t, int64_t) const override { return hardened(x); }
  at::Tensor evaluate(const at::Tensor& x, const StepsAlong&) const override { return hardened(x); }
  bool is_exact(bool) const override { return fraction_ >= 1; }
  at::Tensor hardened(const at::Tensor& weights) const override { return at::where(set_ != 0, anchors_, weights); }

  /// With powers of two that of the smallest one.
  std::optional<Grid> grid(const Grid& start) const override {
    if (!how_.power_of_two) return {};
    Grid grid = start;
    grid.high = int64_t{1} << (powers_ - 1);
    grid.low = -grid.high;
    grid.zero_point = 0;
    // Levels rise: the smallest power is the one after zero, which stands in the middle.
    for (size_t c = 0; c < grid.scale.size(); ++c)
      if (const float least = levels_of(static_cast<int64_t>(c))[static_cast<size_t>(powers_) + 1]; least > 0)
        grid.scale[c] = static_cast<double>(least);
    return grid;
  }

  void set_fraction(double fraction, at::Tensor& weights, const std::vector<quant::Steps>& now) override {
    if (fraction <= fraction_) return;
    fraction_ = fraction;
    const at::NoGradGuard no_grad;
    at::Tensor rows = weights.transpose(0, axis_).contiguous(), set = set_.transpose(0, axis_).contiguous();
    const int64_t channels = level_table_.size(0);
    const auto size = static_cast<size_t>(rows.numel() / channels);
    const bool first = !set_.any().item<bool>();
    for (int64_t c = 0; c < channels; ++c) {
      const std::span<float> row = part_of<float>(rows, static_cast<size_t>(c) * size, size);
      if (first) find_levels(row, now[static_cast<size_t>(c)], levels_of(c));
      quant::set_on_levels(row, part_of<uint8_t>(set, static_cast<size_t>(c) * size, size), fraction, how_.partition,
                           levels_of(c),
                           Random(seed_).fork(std::bit_cast<uint64_t>(fraction)).fork(static_cast<uint64_t>(c)));
    }
    weights.copy_(rows.transpose(0, axis_));
    set_.copy_(set.transpose(0, axis_));
    anchors_.copy_(weights);
  }

  void settle(at::Tensor& weights) const override { weights.copy_(hardened(weights)); }
  std::string unfinished(const QuantiserSettings& last) const override {
    return last.fraction < 1 ? "still has weights that are not set" : "";
  }
  std::map<std::string, at::Tensor> state() const override {
    return {{"set", set_}, {"anchors", anchors_}, {"levels", level_table_}};
  }

 private:
  static int64_t powers_of(const Grid& grid) { return quant::powers_of_levels(grid.levels()); }

  std::span<float> levels_of(int64_t channel) const {
    const auto count = static_cast<size_t>(level_table_.size(1));
    return part_of<float>(level_table_, static_cast<size_t>(channel) * count, count);
  }

  void find_levels(std::span<const float> row, const quant::Steps& steps, std::span<float> levels) const {
    double largest = 0;
    for (float w : row) largest = std::max(largest, std::abs(static_cast<double>(w)));
    if (how_.power_of_two)
      std::ranges::copy(quant::powers_of_two(largest, powers_), levels.begin());
    else
      for (size_t k = 0; k < levels.size(); ++k)
        levels[k] = static_cast<float>(static_cast<double>(steps.scale) * (steps.least() + static_cast<double>(k)));
  }

  quant::Inq how_;
  uint64_t seed_;
  int64_t axis_, powers_;  ///< powers of two a sign
  double fraction_ = 0;
  at::Tensor set_, anchors_;  ///< UInt8 and Float32 like the weights
  at::Tensor level_table_;    ///< Float32 [channels, levels]
};

}  // namespace

std::unique_ptr<TensorForm> tensor_form(const quant::Inq& how, const FormStart& start) {
  return std::make_unique<InqForm>(how, start);
}

}  // namespace nibble::train
