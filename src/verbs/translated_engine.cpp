#include "verbs/translated_engine.hpp"

#include <cmath>

#include "base/channels.hpp"
#include "base/error.hpp"

namespace nibble::verbs {
namespace {

double of(const std::vector<double>& list, size_t channel, double absent) {
  return list.empty() ? absent : list[list.size() == 1 ? 0 : channel];
}

class Translated : public graph::Engine {
 public:
  Translated(std::unique_ptr<graph::Engine> engine, data::Preprocess from, data::Preprocess to)
      : engine_(std::move(engine)), from_(std::move(from)), to_(std::move(to)) {}

  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const graph::Observer& observer) override {
    std::vector<Tensor> translated = inputs;
    translated.at(0) = image(inputs.at(0));
    return engine_->run(translated, observer);
  }

 private:
  /// [N, C, H, W]. A pixel that is whole but for a float's last bit is whole.
  Tensor image(const Tensor& x) const {
    std::vector<double> values = x.to_reals();
    const ChannelOf channel(x.shape(), from_.channels_last ? 3 : 1);
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t c = channel(i);
      double pixel = (values[i] * of(from_.standard_deviation, c, 1) + of(from_.mean, c, 0)) / from_.scale;
      const double whole = std::nearbyint(pixel);
      if (std::abs(pixel - whole) < 1e-3) pixel = whole;
      values[i] = (pixel * to_.scale - of(to_.mean, c, 0)) / of(to_.standard_deviation, c, 1);
    }
    return Tensor(x.shape(), std::vector<float>(values.begin(), values.end()));
  }

  std::unique_ptr<graph::Engine> engine_;
  data::Preprocess from_, to_;
};

}  // namespace

std::unique_ptr<graph::Engine> translated(std::unique_ptr<graph::Engine> engine, const data::Preprocess& from,
                                          const data::Preprocess& to, const std::string& place) {
  const bool alike = from.resize == to.resize && from.crop == to.crop && from.channels == to.channels &&
                     from.channels_last == to.channels_last;
  if (!alike)
    fail("verbs", place, "another resize, crop, channels or layout than the first network's preprocessing",
         "the same, so that both see one image");
  if (data::to_json(from) == data::to_json(to)) return engine;
  return std::make_unique<Translated>(std::move(engine), from, to);
}

}  // namespace nibble::verbs
