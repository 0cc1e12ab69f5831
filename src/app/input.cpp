#include "app/input.hpp"

#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "data/formats/orientation.hpp"
#include "data/npy.hpp"
#include "data/npz.hpp"
#include "data/preprocessor.hpp"

namespace nibble::app {

Levels::Levels(const program::Port& port, const std::string& place)
    : grid_{port.scale.empty() ? std::vector<double>{1.0} : port.scale, port.scale.size() > 1 ? port.axis : -1,
            port.zero_point, port.low, port.high},
      rounding_(port.rounding),
      shape_(port.value.extents) {
  static constexpr int widths[] = {0, 1, 1, 2, 2, 4, 8};
  if (port.value.type < 1 || port.value.type > 6)
    fail("app", place, "input '" + port.value.name + "' holds reals", "a network that takes integers");
  width_ = widths[port.value.type];
  has_sign_ = port.value.type != 2 && port.value.type != 4;
  for (size_t i = 0; i < shape_.size(); ++i) {
    elements_ *= static_cast<size_t>(shape_[i]);
    if (grid_.per_channel() && i > static_cast<size_t>(grid_.axis)) inner_ *= static_cast<size_t>(shape_[i]);
  }
}

int64_t Levels::level(double real, size_t channel) const {
  return grid_.quantise(real, channel, rounding_);
}

double Levels::real(int64_t level, size_t channel) const {
  return grid_.real(level, channel);
}

size_t Levels::channel(size_t element) const {
  return grid_.per_channel() ? element / inner_ % grid_.scale.size() : 0;
}

void Levels::quantise(const std::vector<float>& reals, std::string& out, const std::string& place) const {
  if (reals.size() != elements_)
    fail("app", place, std::to_string(reals.size()) + " numbers", std::to_string(elements_) + ", " + to_string(shape_));
  out.resize(bytes());
  for (size_t i = 0; i < reals.size(); ++i) {
    if (std::isnan(reals[i])) fail("app", place, "number " + std::to_string(i) + " is NaN", "reals");
    const int64_t q = level(static_cast<double>(reals[i]), channel(i));
    std::memcpy(out.data() + i * static_cast<size_t>(width_), &q, static_cast<size_t>(width_));
  }
}

std::vector<float> Levels::reals(const std::string& levels) const {
  std::vector<float> result(elements_);
  for (size_t i = 0; i < elements_; ++i) {
    int64_t q = 0;
    std::memcpy(&q, levels.data() + i * static_cast<size_t>(width_), static_cast<size_t>(width_));
    const int unused = 64 - 8 * width_;
    if (has_sign_ && unused > 0) q = static_cast<int64_t>(static_cast<uint64_t>(q) << unused) >> unused;
    result[i] = static_cast<float>(real(q, channel(i)));
  }
  return result;
}

ImagePreparation::ImagePreparation(const ImageInput& input, const std::optional<data::Preprocess>& carried,
                                   const Levels& levels, const std::string& place)
    : place_(input.place), width_(levels.width()) {
  const Shape& shape = levels.shape();
  if (shape.size() != 4 || shape[0] != 1 || (shape[1] != 1 && shape[1] != 3) || levels.width() > 4)
    fail("app", place, "the network's input is " + to_string(shape), "[1, 1 or 3, height, width] for pictures");
  if (place_.height == 0) {
    place_.height = static_cast<int32_t>(shape[2]);
    place_.width = static_cast<int32_t>(shape[3]);
  }
  if (place_.height != shape[2] || place_.width != shape[3])
    fail("app", place + ": size", to_string(Shape{place_.height, place_.width}), to_string({shape[2], shape[3]}));
  planes_ = shape[1];
  data::Preprocess values = input.values ? *input.values : carried.value_or(data::Preprocess{});
  if (!input.values && !carried && planes_ == 1) values.channels = "gray";
  values.resize.reset();
  values.crop.reset();
  values.channels_last = false;
  if ((values.channels == "gray") != (planes_ == 1))
    fail("app", place + ": channels", values.channels,
         planes_ == 1 ? "gray, as the network's input has one channel" : "RGB or BGR");
  if (values.channels == "BGR") std::swap(order_[0], order_[2]);
  table_.resize(static_cast<size_t>(planes_) * 256);
  // Of a pixel of every value, by what prepares the pictures that networks are trained on.
  Tensor every(ElementType::UInt8, {1, 256, planes_});
  for (size_t i = 0; i < every.size(); ++i)
    every.as<uint8_t>()[i] = static_cast<uint8_t>(i / static_cast<size_t>(planes_));
  const Tensor reals = data::Preprocessor(values)(every);
  for (size_t i = 0; i < table_.size(); ++i) {
    const size_t channel = levels.channel(i / 256 * levels.elements() / static_cast<size_t>(planes_));
    table_[i] = static_cast<int32_t>(levels.level(static_cast<double>(reals.as<float>()[i]), channel));
  }
}

nibble_placement ImagePreparation::operator()(const Tensor& picture, const std::optional<nibble_rectangle>& box,
                                              Room& room, std::string& levels) const {
  const auto height = static_cast<int32_t>(picture.shape()[0]), width = static_cast<int32_t>(picture.shape()[1]);
  const auto channels = static_cast<int32_t>(picture.shape()[2]);
  const nibble_placement at = nibble_place(&place_, box.value_or(nibble_rectangle{0, 0, width, height}));
  const nibble_picture view{picture.as<uint8_t>().data(), height, width, channels};
  const int64_t count = int64_t{place_.height} * place_.width;
  room.scratch.resize(nibble_resize_scratch(&place_, &at, channels) / 8 + 1);
  room.pixels.resize(static_cast<size_t>(count * channels));
  levels.resize(static_cast<size_t>(count * planes_ * width_));
  nibble_resize(&place_, &at, &view, room.scratch.data(), room.pixels.data());
  nibble_pixels_to_levels(room.pixels.data(), count, channels, static_cast<int32_t>(planes_), order_, table_.data(),
                          width_, levels.data());
  return at;
}

ImagePreparation image_preparation(const Description& app, const std::map<std::string, std::string>& metadata,
                                   const Levels& levels, const std::string& place) {
  std::optional<data::Preprocess> carried;
  if (const auto said = metadata.find("preprocess"); said != metadata.end())
    carried = data::preprocess_from_json(parse_json(said->second, "app", place + ": metadata"),
                                         place + ": metadata 'preprocess'");
  ImageInput input = app.image;
  // A network that takes pixels itself keeps its scale, mean and std whatever the description says of them.
  if (input.values && carried && metadata.contains("takes_pixels")) {
    input.values->scale = carried->scale;
    input.values->mean = carried->mean;
    input.values->standard_deviation = carried->standard_deviation;
  }
  return {input, carried, levels, place + ": input: image"};
}

Tensor decode_picture(std::string_view bytes, const std::string& place) {
  const int orientation = data::orientation_of(bytes);
  return data::upright(data::parse_image(bytes, place), orientation);
}

namespace {

void gather(const Json& json, std::vector<float>& numbers, const std::string& place) {
  if (json.is_number()) {
    numbers.push_back(json.get<float>());
    return;
  }
  if (!json.is_array()) fail("app", place, json.dump().substr(0, 40), "numbers, or lists of them");
  for (const Json& item : json) gather(item, numbers, place);
}

}  // namespace

std::vector<float> decode_numbers(std::string_view bytes, const std::string& place) {
  std::vector<float> numbers;
  if (bytes.starts_with("\x93NUMPY")) {
    const Tensor reals = data::parse_npy(bytes, place).cast(ElementType::Float32);
    numbers.assign(reals.as<float>().begin(), reals.as<float>().end());
  } else {
    gather(parse_json(bytes, "app", place), numbers, place);
  }
  return numbers;
}

}  // namespace nibble::app
