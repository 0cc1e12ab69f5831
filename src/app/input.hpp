#pragma once
#include <string>
#include <vector>

#include "app/description.hpp"
#include "program/program.hpp"

namespace nibble::app {

/// A network's input: the integers that reals become, in bytes of its type.
class Levels {
 public:
  Levels(const program::Port& port, const std::string& place);

  size_t elements() const { return elements_; }
  size_t bytes() const { return elements_ * width_; }
  int width() const { return width_; }
  const Shape& shape() const { return shape_; }
  int64_t level(double real, size_t channel) const;
  double real(int64_t level, size_t channel) const;
  size_t channel(size_t element) const;
  /// Throws UserError on a NaN.
  void quantise(const std::vector<float>& reals, std::string& out, const std::string& place) const;
  std::vector<float> reals(const std::string& levels) const;

 private:
  Grid grid_;
  Rounding rounding_;
  Shape shape_;
  size_t elements_ = 1, inner_ = 1;
  int width_ = 1;
  bool has_sign_ = false;
};

/// Pictures to a network's input [1, C, H, W], through `processing`.
class ImagePreparation {
 public:
  /// `carried`: what the network says of its values.
  ImagePreparation(const ImageInput& input, const std::optional<data::Preprocess>& carried, const Levels& levels,
                   const std::string& place);

  int64_t height() const { return place_.height; }
  int64_t planes() const { return planes_; }
  const nibble_image_input& placing() const { return place_; }
  const std::vector<int32_t>& table() const { return table_; }
  const uint8_t* order() const { return order_; }

  /// Buffers that are kept from one picture to the next.
  struct Room {
    std::vector<uint64_t> scratch;
    std::vector<uint8_t> pixels;
  };
  nibble_placement operator()(const Tensor& picture, const std::optional<nibble_rectangle>& box, Room& room,
                              std::string& levels) const;

 private:
  nibble_image_input place_;
  int64_t planes_ = 3;
  int width_ = 1;
  uint8_t order_[3] = {0, 1, 2};
  std::vector<int32_t> table_;
};

/// Of a network with that metadata, which may say what its values are.
ImagePreparation image_preparation(const Description& app, const std::map<std::string, std::string>& metadata,
                                   const Levels& levels, const std::string& place);

/// A picture as it is to be seen, from a file's bytes.
Tensor decode_picture(std::string_view bytes, const std::string& place);
/// Numbers of a .npy, or of a JSON list (of lists).
std::vector<float> decode_numbers(std::string_view bytes, const std::string& place);

}  // namespace nibble::app
