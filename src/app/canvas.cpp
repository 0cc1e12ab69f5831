#include "app/canvas.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

// The library's own code is not held to our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_easy_font.h>
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace nibble::app {

Colour class_colour(size_t index) {
  Colour colour{};
  for (unsigned bit = 7; index != 0; --bit, index >>= 3)
    for (size_t c = 0; c < 3; ++c) colour[c] = static_cast<uint8_t>(colour[c] | ((index >> c & 1) << bit));
  return colour;
}

Canvas::Canvas(const Tensor& picture)
    : height_(picture.shape()[0]),
      width_(picture.shape()[1]),
      factor_(std::max<int64_t>(1, 480 / std::max(height_, width_))) {
  const auto from = picture.as<uint8_t>();
  const int64_t channels = picture.shape()[2];
  pixels_.resize(static_cast<size_t>(rows() * columns()) * 3);
  size_t at = 0;
  for (int64_t row = 0; row < rows(); ++row)
    for (int64_t column = 0; column < columns(); ++column)
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t pixel = row / factor_ * width_ + column / factor_;
        pixels_[at++] = static_cast<char>(from[static_cast<size_t>(pixel * channels + (channels == 3 ? c : 0))]);
      }
}

double Canvas::unit() const {
  return std::floor(std::max(1.0, static_cast<double>(std::max(rows(), columns())) / 400));
}

void Canvas::mix(int64_t row, int64_t column, Colour colour, double share) {
  if (column < 0 || row < 0 || column >= columns() || row >= rows()) return;
  for (size_t c = 0; c < 3; ++c) {
    char& pixel = pixels_[static_cast<size_t>(row * columns() + column) * 3 + c];
    const double mixed = (1 - share) * static_cast<uint8_t>(pixel) + share * colour[c];
    pixel = static_cast<char>(static_cast<uint8_t>(std::lround(mixed)));
  }
}

void Canvas::blend(int64_t x, int64_t y, Colour colour, double share) {
  for (int64_t row = 0; row < factor_; ++row)
    for (int64_t column = 0; column < factor_; ++column) mix(y * factor_ + row, x * factor_ + column, colour, share);
}

void Canvas::fill(double left, double top, double right, double bottom, Colour colour) {
  const auto within = [](double at, int64_t most) {
    return static_cast<int64_t>(std::clamp(std::floor(at + 0.5), -1.0, static_cast<double>(most) + 1));
  };
  for (int64_t row = within(top, rows()); row < within(bottom, rows()); ++row)
    for (int64_t column = within(left, columns()); column < within(right, columns()); ++column)
      mix(row, column, colour, 1);
}

void Canvas::square(double x, double y, double side, Colour colour) {
  x *= factor();
  y *= factor();
  fill(x - side / 2, y - side / 2, x + side / 2, y + side / 2, colour);
}

void Canvas::line(double x0, double y0, double x1, double y1, Colour colour) {
  const double reach = 4.0 * static_cast<double>(height_ + width_);
  for (double* at : {&x0, &y0, &x1, &y1}) *at = std::isfinite(*at) ? std::clamp(*at, -reach, reach) : 0;
  const double steps = std::ceil(std::max({1.0, std::abs(x1 - x0) * factor(), std::abs(y1 - y0) * factor()}));
  for (double i = 0; i <= steps; ++i)
    square(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, 2 * unit(), colour);
}

void Canvas::rectangle(double left, double top, double right, double bottom, Colour colour) {
  line(left, top, right, top, colour);
  line(left, bottom, right, bottom, colour);
  line(left, top, left, bottom, colour);
  line(right, top, right, bottom, colour);
}

void Canvas::dot(double x, double y, Colour colour) {
  square(x, y, 3 * unit(), colour);
}

void Canvas::label(double x, double y, std::string_view text, Colour ground) {
  std::string letters(text.substr(0, 64));
  for (char& c : letters)
    if (c < ' ' || c > '~') c = '?';
  const double size = unit();
  std::string quads(letters.size() * 270 + 1, '\0');
  const int count = stb_easy_font_print(0, 0, letters.data(), nullptr, quads.data(), static_cast<int>(quads.size()));
  const int bright = 299 * ground[0] + 587 * ground[1] + 114 * ground[2];
  const Colour ink = bright > 128000 ? Colour{0, 0, 0} : Colour{255, 255, 255};
  const double width = (stb_easy_font_width(letters.data()) + 3) * size, height = 11 * size;
  x = std::clamp(x * factor(), 0.0, std::max(0.0, static_cast<double>(columns()) - width));
  y = std::clamp(y * factor(), 0.0, std::max(0.0, static_cast<double>(rows()) - height));
  fill(x, y, x + width, y + height, ground);
  constexpr size_t floats_a_corner = 4, corners = 4;
  const auto* at = reinterpret_cast<const float*>(quads.data());
  for (int i = 0; i < count; ++i, at += floats_a_corner * corners) {
    const float *first = at, *third = at + 2 * floats_a_corner;
    fill(x + (first[0] + 2) * size, y + (first[1] + 1) * size, x + (third[0] + 2) * size, y + (third[1] + 1) * size,
         ink);
  }
}

std::string Canvas::png() const {
  std::string file;
  const auto append = [](void* to, void* bytes, int count) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), static_cast<size_t>(count));
  };
  ensure(stbi_write_png_to_func(append, &file, static_cast<int>(columns()), static_cast<int>(rows()), 3, pixels_.data(),
                                static_cast<int>(columns() * 3)) != 0,
         "a picture in memory becomes a PNG");
  return file;
}

}  // namespace nibble::app
