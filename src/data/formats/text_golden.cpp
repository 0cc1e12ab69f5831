#include "data/formats/text_golden.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/file.hpp"

namespace nibble::data {
namespace {

constexpr std::string_view white = " \t\r\\,";

std::string_view trimmed(std::string_view text, std::string_view of = white) {
  const size_t begin = text.find_first_not_of(of);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(of) - begin + 1);
}

template <class T>
bool reads_as(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<int64_t> integer_in(std::string_view text) {
  int64_t integer = 0;
  if (reads_as(text, integer)) return integer;
  double real = 0;
  constexpr double most = 9007199254740992.0;  // 2^53: beyond, a double is not one integer
  if (!reads_as(text, real) || std::abs(real) > most || real != std::floor(real)) return {};
  return static_cast<int64_t>(real);
}

std::optional<Shape> shape_in(std::string_view list) {
  Shape shape;
  while (!trimmed(list, " ").empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    int64_t extent = 0;
    if (!reads_as(trimmed(list.substr(0, comma), " "), extent) || extent < 0) return {};
    shape.push_back(extent);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return shape;
}

struct Heading {
  std::string name;
  std::optional<Shape> shape;
};

/// "# name (shape [1, 2]),"
Heading heading_in(std::string_view line, const std::string& place) {
  constexpr std::string_view mark = "(shape [";
  line = trimmed(line.substr(1));
  const size_t open = line.rfind(mark), close = line.rfind("])");
  if (open == std::string_view::npos) return {std::string(line), {}};
  const size_t begin = open + mark.size();
  Heading heading{std::string(trimmed(line.substr(0, open))), {}};
  if (close != std::string_view::npos && close >= begin) heading.shape = shape_in(line.substr(begin, close - begin));
  if (!heading.shape) fail("data", place + ":1", "'" + std::string(line) + "'", "# name (shape [...]),");
  return heading;
}

/// The extents other than 1: what tells the order of a tensor's elements.
Shape spread(const Shape& shape) {
  Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result), [](int64_t extent) { return extent != 1; });
  return result;
}

Shape channels_last(const Shape& shape) {
  Shape result = shape;
  if (result.size() > 2) std::rotate(result.begin() + 1, result.begin() + 2, result.end());
  return result;
}

/// Batch, channels and positions of [N, C, spatial...].
struct Extents {
  size_t batch = 1, channels = 1, positions = 1;
  explicit Extents(const Shape& shape) {
    if (!shape.empty()) batch = static_cast<size_t>(shape[0]);
    if (shape.size() > 1) channels = static_cast<size_t>(shape[1]);
    for (size_t i = 2; i < shape.size(); ++i) positions *= static_cast<size_t>(shape[i]);
  }
};

/// Calls f(index channels first, index channels last) for every element.
template <class F>
void each_element(const Shape& shape, F&& f) {
  const Extents of(shape);
  for (size_t n = 0; n < of.batch; ++n)
    for (size_t c = 0; c < of.channels; ++c)
      for (size_t p = 0; p < of.positions; ++p)
        f((n * of.channels + c) * of.positions + p, (n * of.positions + p) * of.channels + c);
}

}  // namespace

TextGolden parse_text_golden(std::string_view bytes, std::string_view where) {
  const std::string place(where);
  Heading heading;
  std::vector<int64_t> values;
  for (int64_t number = 1; !bytes.empty(); ++number) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = trimmed(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (line.empty()) continue;
    if (number == 1 && line.front() == '#') {
      heading = heading_in(line, place);
      continue;
    }
    const auto integer = integer_in(line);
    if (!integer)
      fail("data", place + ":" + std::to_string(number), "'" + std::string(line.substr(0, 40)) + "'",
           "one integer a line");
    values.push_back(*integer);
  }
  if (values.empty() && !heading.shape) fail("data", place, "no integers", "one a line");
  const Shape shape = heading.shape.value_or(Shape{static_cast<int64_t>(values.size())});
  if (element_count(shape) != static_cast<int64_t>(values.size()))
    fail("data", place, std::to_string(values.size()) + " integers",
         std::to_string(element_count(shape)) + " of shape " + to_string(shape));
  return {heading.name, Tensor(shape, values)};
}

TextGolden read_text_golden(const std::filesystem::path& file) {
  return parse_text_golden(read_file(file, "data"), file.string());
}

std::optional<Tensor> channels_first(const Tensor& golden, const Shape& shape) {
  const Shape extents = spread(golden.shape());
  const bool counted = golden.rank() == 1 && element_count(shape) == static_cast<int64_t>(golden.size());
  if (!counted && extents != spread(channels_last(shape))) {
    if (extents != spread(shape)) return {};
    return golden.reshaped(shape);
  }
  Tensor result(golden.type(), shape);
  const auto from = golden.as<int64_t>();
  const auto to = result.as<int64_t>();
  each_element(shape, [&](size_t first, size_t last) { to[first] = from[last]; });
  return result;
}

std::string text_golden_bytes(const std::string& name, const Tensor& tensor) {
  Shape shape = tensor.shape();
  if (shape.size() < 2) shape.insert(shape.begin(), 1);
  if (shape.front() != 1) fail("data", name, "a batch of " + std::to_string(shape.front()), "1 in a text file");
  const std::vector<int64_t> integers = tensor.to_integers();
  std::vector<int64_t> last(integers.size());
  each_element(shape, [&](size_t from, size_t to) { last[to] = integers[from]; });
  shape = channels_last(shape);
  shape.erase(shape.begin());
  std::string text = "# " + name + " (shape " + to_string(shape) + "),\n";
  for (int64_t integer : last) text += std::to_string(integer) + ",\n";
  return text;
}

}  // namespace nibble::data
