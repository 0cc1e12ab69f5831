#pragma once
#include <array>
#include <string>
#include <string_view>

#include "base/tensor.hpp"

namespace nibble::app {

using Colour = std::array<uint8_t, 3>;

/// One of 256 colours that tell classes apart; 0 is black. Those of the PASCAL VOC's maps: the bits of the index, three
/// at a time, become the high bits of red, green and blue.
Colour class_colour(size_t index);

/// A picture to draw a result on, a small one made larger by a whole number so that letters fit. Places are pixels of the
/// picture; what lies outside is not drawn.
class Canvas {
 public:
  /// picture: [H, W, 1 or 3] UInt8.
  explicit Canvas(const Tensor& picture);

  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  /// Of a label, in pixels of the picture.
  double line_height() const { return 12 * unit() / factor(); }

  void blend(int64_t x, int64_t y, Colour colour, double share);
  void line(double x0, double y0, double x1, double y1, Colour colour);
  void rectangle(double left, double top, double right, double bottom, Colour colour);
  void dot(double x, double y, Colour colour);
  /// Letters of ASCII on a ground of the colour, from their top left.
  void label(double x, double y, std::string_view text, Colour ground);

  std::string png() const;

 private:
  /// What a line's width and a letter's size follow, whole.
  double unit() const;
  double factor() const { return static_cast<double>(factor_); }
  int64_t rows() const { return height_ * factor_; }
  int64_t columns() const { return width_ * factor_; }
  void mix(int64_t row, int64_t column, Colour colour, double share);
  void fill(double left, double top, double right, double bottom, Colour colour);
  /// Around a place of the picture, `side` of the result's own pixels.
  void square(double x, double y, double side, Colour colour);

  int64_t height_, width_, factor_;
  std::string pixels_;
};

}  // namespace nibble::app
