#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/kernels.h"

/// Random steps for kernels, and the comparison of a kernel with the reference. Knows no test framework: gtest on the
/// host and a plain program under an emulator both use it. A seed is a step, on every machine.
namespace nibble::test {

/// splitmix64
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// low to high, both included
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % (static_cast<uint64_t>(high - low) + 1));
  }
  int32_t number(int64_t low, int64_t high) { return static_cast<int32_t>(between(low, high)); }
  bool once_in(int64_t n) { return between(1, n) == 1; }
  double real() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  template <typename T>
  T of(std::initializer_list<T> list) {
    return list.begin()[between(0, static_cast<int64_t>(list.size()) - 1)];
  }

 private:
  uint64_t state_;
};

inline int64_t size_of(int32_t type) {
  return type <= NIBBLE_U8 ? 1 : type <= NIBBLE_U16 ? 2 : type == NIBBLE_I32 ? 4 : 8;
}
inline int64_t lowest(int32_t type) {
  const int64_t bits = size_of(type) * 8;
  return type == NIBBLE_U8 || type == NIBBLE_U16 ? 0 : bits == 64 ? INT64_MIN : -(int64_t{1} << (bits - 1));
}
inline int64_t highest(int32_t type) {
  const int64_t bits = size_of(type) * 8;
  if (type == NIBBLE_U8 || type == NIBBLE_U16) return (int64_t{1} << bits) - 1;
  return bits == 64 ? INT64_MAX : (int64_t{1} << (bits - 1)) - 1;
}
inline void put(std::vector<uint8_t>& bytes, int32_t type, int64_t at, int64_t value) {
  std::memcpy(bytes.data() + at * size_of(type), &value, static_cast<size_t>(size_of(type)));
}

/// One step and what it reads. Its pointers are into `constants`, so a copy is another's alias: kept by pointer.
struct Case {
  int kind = 0;
  std::shared_ptr<void> parameters;
  std::deque<std::vector<uint8_t>> constants;
  std::vector<std::vector<uint8_t>> in;
  int64_t out_bytes = 0;
  std::string text;
  uint64_t seed = 0;
};
using CasePointer = std::unique_ptr<Case>;

/// `count` numbers of a type as a constant, zeros up to a multiple of 16 and slack behind them.
template <typename T>
const void* constant(Case& c, const std::vector<T>& numbers) {
  const size_t count = (numbers.size() + 15) / 16 * 16;
  auto& bytes = c.constants.emplace_back(count * sizeof(T) + NIBBLE_SLACK);
  std::memcpy(bytes.data(), numbers.data(), numbers.size() * sizeof(T));
  return bytes.data();
}

/// Numbers of a type with slack of any content behind them; now and then all extremes.
inline std::vector<uint8_t> tensor(Draw& draw, int32_t type, int64_t count, int64_t low, int64_t high) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count * size_of(type)) + NIBBLE_SLACK);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(draw.bits());
  const int64_t fashion = draw.between(0, 5);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t any = draw.between(low, high);
    put(bytes, type, i, fashion == 0 ? (draw.once_in(8) ? low : high) : fashion == 1 ? draw.of({low, high}) : any);
  }
  return bytes;
}

// ---- text ----------------------------------------------------------------------------------------------------------

#define NIBBLE_TEXT_NUMBER(type, name) out << " " #name "=" << +p.name;
#define NIBBLE_TEXT_ARRAY(type, name, count) \
  out << " " #name "=";                      \
  for (int i = 0; i < count; ++i) out << (i ? "," : "") << +p.name[i];
#define NIBBLE_TEXT_POINTER(name) out << (p.name ? "" : " " #name "=null");
#define NIBBLE_TEXT_STAGE(name) out << " " #name "={" << text_of(p.name) << "}";
#define NIBBLE_TEXT(KIND, name, FIELDS)                                                   \
  inline std::string text_of(const name& p) {                                             \
    std::ostringstream out;                                                               \
    FIELDS(NIBBLE_TEXT_NUMBER, NIBBLE_TEXT_ARRAY, NIBBLE_TEXT_POINTER, NIBBLE_TEXT_STAGE) \
    return out.str();                                                                     \
  }
NIBBLE_TEXT(STAGE, nibble_stage, NIBBLE_STAGE_FIELDS)
NIBBLE_STRUCTS(NIBBLE_TEXT)

template <typename T>
CasePointer finished(CasePointer c, int kind, const T& parameters) {
  c->kind = kind;
  c->text = text_of(parameters);
  c->parameters = std::make_shared<T>(parameters);
  return c;
}

// ---- comparison ----------------------------------------------------------------------------------------------------

#define NIBBLE_REFERENCE_OF(KIND, name, FIELDS) \
  case NIBBLE_KIND_##KIND: return name##_reference;
inline nibble_kernel reference_of(int kind) {
  switch (kind) { NIBBLE_KINDS(NIBBLE_REFERENCE_OF) default : return nullptr; }
}

/// Runs a step in pieces (cuts among its items), the output between canaries; the bytes of all of it.
inline std::vector<uint8_t> run(const Case& c, nibble_kernel kernel, const std::vector<int64_t>& cuts, int* fault) {
  constexpr size_t margin = 128;
  std::vector<uint8_t> out(static_cast<size_t>(c.out_bytes) + 2 * margin, 0xa5);
  const auto scratch_size = static_cast<size_t>(nibble_scratch(c.kind, c.parameters.get()));
  std::vector<uint8_t> scratch(scratch_size + 64 + margin, 0x5a);
  const size_t shift = (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
  nibble_call call{};
  for (size_t i = 0; i < c.in.size(); ++i) call.in[i] = c.in[i].data();
  call.out = out.data() + margin;
  call.scratch = scratch.data() + shift;
  *fault = NIBBLE_FINE;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    call.begin = cuts[i], call.end = cuts[i + 1];
    *fault = std::max(*fault, kernel(c.parameters.get(), &call));
  }
  for (size_t i = shift + scratch_size; i < scratch.size(); ++i)
    if (scratch[i] != 0x5a) *fault = -1;
  return out;
}

/// How a kernel differs from the reference on a step; nothing where it is equal in every byte and fault.
inline std::optional<std::string> difference(const Case& c, nibble_kernel kernel) {
  Draw draw(c.seed ^ 0xc0ffee);
  const int64_t items = nibble_items(c.kind, c.parameters.get());
  std::vector<int64_t> cuts = {0, items};
  for (int64_t more = draw.between(0, 2); more > 0; --more) cuts.push_back(draw.between(0, items));
  std::sort(cuts.begin(), cuts.end());
  int wanted_fault = 0, found_fault = 0;
  const auto wanted = run(c, reference_of(c.kind), {0, items}, &wanted_fault);
  const auto found = run(c, kernel, cuts, &found_fault);
  std::ostringstream out;
  out << "seed " << c.seed << ", " << items << " items cut at";
  for (const int64_t cut : cuts) out << " " << cut;
  if (found_fault == -1)
    out << ": wrote beyond its scratch";
  else if (found_fault != wanted_fault)
    out << ": fault " << found_fault << " (expected " << wanted_fault << ")";
  else if (found != wanted) {
    size_t at = 0, count = 0;
    for (size_t i = found.size(); i-- > 0;)
      if (found[i] != wanted[i]) at = i, ++count;
    out << ": " << count << " bytes differ, the first at " << static_cast<int64_t>(at) - 128 << " of " << c.out_bytes
        << ": " << +found[at] << " (expected " << +wanted[at] << ")";
  } else
    return std::nullopt;
  out << ":" << c.text;
  return out.str();
}

// ---- stages --------------------------------------------------------------------------------------------------------

/// How a step's result is stored: its type and an interval within it.
struct Target {
  int32_t type;
  int64_t low, high;
};
inline Target target(Draw& draw, int32_t type) {
  const int64_t low = std::max<int64_t>(lowest(type), INT32_MIN), high = std::min<int64_t>(highest(type), INT32_MAX);
  if (!draw.once_in(3)) return {type, lowest(type), highest(type)};
  const int64_t a = draw.between(low, high), b = draw.between(low, high);
  return {type, std::min(a, b), std::max(a, b)};
}

/// A stage of a form for values within +-bound (bound < 2^31), `channels` of them.
inline nibble_stage stage(Draw& draw, Case& c, int32_t form, int32_t channels, int64_t bound, const Target& to) {
  nibble_stage s{};
  s.form = form, s.channels = channels, s.low = to.low, s.high = to.high;
  const auto n = static_cast<size_t>(channels);
  const double reach = static_cast<double>(std::max<int64_t>(bound, 1));
  const double span = std::min(static_cast<double>(highest(to.type)) - static_cast<double>(lowest(to.type)), 1e8);
  std::vector<float> fa(n), fb(n);
  std::vector<int64_t> la(n), lb(n), ld(n);
  std::vector<int32_t> ia(n);
  std::vector<uint8_t> d(n);
  // As a program has them: multipliers of 20 to 30 bits.
  const bool usual = draw.once_in(2);
  for (size_t i = 0; i < n; ++i) {
    const double gain = (0.05 + 1.5 * draw.real()) * span / reach * (draw.once_in(8) ? -1 : 1);
    const double add = (draw.real() - 0.5) * span;
    // Halves are ties.
    fa[i] = draw.once_in(4) && span / reach < 1e6 ? 0.5F : static_cast<float>(gain);
    fb[i] = draw.once_in(4) ? static_cast<float>(draw.between(-9, 9)) : static_cast<float>(add);
    if (draw.once_in(16)) fa[i] = 0;
    d[i] = static_cast<uint8_t>(draw.of<int64_t>({0, 1, 8, 16, 24, 30, 31, 32, 33}));
    if (draw.once_in(16)) d[i] = static_cast<uint8_t>(draw.between(34, 62));
    if (usual) {
      const int room = 30 - static_cast<int>(std::ceil(std::log2(std::max(std::abs(gain), 1e-8))));
      d[i] = static_cast<uint8_t>(std::clamp<int64_t>(room - draw.between(0, 10), 0, 62));
    }
    const double up = static_cast<double>(uint64_t{1} << d[i]), most = 2147483647.0;
    ia[i] = static_cast<int32_t>(std::clamp(gain * up, -most, most));
    if (!usual && draw.once_in(32)) ia[i] = draw.of({INT32_MIN, INT32_MAX});
    la[i] = form == NIBBLE_STAGE_DIVIDE ? draw.between(-1000, 1000) : ia[i];
    lb[i] = static_cast<int64_t>(std::clamp(add * up, -0x1p61, 0x1p61)) + draw.between(-3, 3);
    if (form == NIBBLE_STAGE_PRODUCT32) {
      // Proven of such a stage: sums below 2^62, of 32 bits when shifted.
      const auto largest = [&] {
        return std::abs(static_cast<double>(ia[i])) * reach + std::abs(static_cast<double>(lb[i]));
      };
      while (largest() >= 0x1.fp61 || largest() / up >= 0x1.fp30) ia[i] /= 2, lb[i] /= 2;
    }
    ld[i] = draw.between(1, 1 << draw.between(1, 20));
    if (draw.once_in(24)) ia[i] = 0, la[i] = 0, d[i] = 0, lb[i] = draw.between(-128, 127);  // a constant
  }
  switch (form) {
    case NIBBLE_STAGE_FLOAT: s.a = constant(c, fa), s.b = constant(c, fb); break;
    case NIBBLE_STAGE_PRODUCT32: s.a = constant(c, ia), s.b = constant(c, lb), s.d = constant(c, d); break;
    case NIBBLE_STAGE_PRODUCT:
      s.a = constant(c, la), s.b = constant(c, lb), s.d = constant(c, d), s.wide = draw.number(0, 1);
      break;
    case NIBBLE_STAGE_DIVIDE: s.a = constant(c, la), s.b = constant(c, lb), s.d = constant(c, ld); break;
    case NIBBLE_STAGE_THRESHOLDS: {
      s.steps = draw.of({1, 3, 15, 255});
      s.low = to.type == NIBBLE_U8 || to.type == NIBBLE_U16 ? 0 : -(s.steps + 1) / 2;
      s.high = s.low + s.steps;
      std::vector<int64_t> steps(n * static_cast<size_t>(s.steps));
      for (size_t i = 0; i < steps.size(); ++i) steps[i] = draw.between(-bound, bound);
      for (size_t i = 0; i < n; ++i) {
        const auto from = steps.begin() + static_cast<int64_t>(i) * s.steps;
        std::sort(from, from + s.steps);
        d[i] = draw.once_in(4);
      }
      s.a = constant(c, steps), s.d = draw.once_in(2) ? constant(c, d) : nullptr;
      break;
    }
    case NIBBLE_STAGE_TABLE: {
      s.first = -bound, s.steps = static_cast<int32_t>(2 * bound + 1);
      std::vector<int64_t> table(static_cast<size_t>(s.steps));
      for (auto& entry : table)
        entry = draw.between(std::max<int64_t>(to.low, -(1 << 20)), std::min<int64_t>(to.high, 1 << 20));
      s.a = constant(c, table);
      break;
    }
    default: break;
  }
  return s;
}

// ---- convolutions --------------------------------------------------------------------------------------------------

/// What a convolution is to be like; the rest is drawn.
struct ConvWish {
  int32_t x_type = NIBBLE_U8;
  bool depthwise = false, grouped = false, folded = false;
  bool connected = false;    ///< fully connected, one row
  bool three = false;        ///< 3x3 at stride 1 over a plane of some size, channels in fours
  int32_t width = 0;         ///< of x, with `three`; 0: drawn
  int64_t products = 40000;  ///< about as many
};

inline int64_t padded(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

/// Weights in the format that p says, and how far a sum of them goes for |x| <= reach, without bias.
inline int64_t draw_weights(Draw& draw, Case& c, nibble_conv& p, int64_t reach) {
  const int64_t per_group = p.in_channels / p.groups;
  const int64_t taps = int64_t{p.kernel[0]} * p.kernel[1] * p.kernel[2], rows = p.out_channels;
  const bool depthwise = p.groups > 1 && p.groups == p.in_channels && p.groups == p.out_channels;
  const int64_t segment = depthwise ? taps : p.kernel[2] * per_group;
  const int64_t segments = depthwise ? 1 : int64_t{p.kernel[0]} * p.kernel[1];
  if (p.w_format == NIBBLE_PLAIN) {
    const int64_t low = std::max<int64_t>(lowest(p.w_type), -1000), high = std::min<int64_t>(highest(p.w_type), 1000);
    const auto& bytes = c.constants.emplace_back(tensor(draw, p.w_type, rows * taps * per_group, low, high));
    p.weights = bytes.data();
    return std::max(-low, high) * reach * taps * per_group;
  }
  if (p.w_format == NIBBLE_FOLDED) {
    const int64_t folded_rows = depthwise ? taps : rows, folded_columns = depthwise ? rows : taps * per_group;
    const int64_t bytes = folded_rows * ((folded_columns * p.w_bits + 7) / 8);
    p.weights = c.constants.emplace_back(tensor(draw, NIBBLE_U8, bytes, 0, 255)).data();
    return std::max<int64_t>(128, std::abs(p.w_low) + (std::abs(p.w_step) << p.w_bits)) * reach * taps * per_group;
  }
  const int64_t columns = segments * padded(segment, 4), blocks = padded(rows, 16) / 16, codes = 1 << p.w_bits;
  const int64_t fashion = draw.between(0, 7), narrow = draw.of<int64_t>({127, 127, 60, 20});
  std::vector<uint8_t> stored(static_cast<size_t>(padded(blocks * 16 * columns * p.w_bits, 8) / 8));
  const int64_t zero = p.w_bits == 8 ? 0 : -p.w_low / p.w_step;
  for (int64_t at = 0; at < blocks * 16 * columns && zero != 0; ++at)
    stored[static_cast<size_t>(at * p.w_bits / 8)] |= static_cast<uint8_t>(zero << (at * p.w_bits % 8));
  std::vector<int64_t> numbers(static_cast<size_t>(blocks * 16 * columns));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      if (column % padded(segment, 4) >= segment) continue;
      const int64_t at = ((row / 16 * (columns / 4) + column / 4) * 16 + row % 16) * 4 + column % 4;
      int64_t w = draw.between(-narrow, narrow);
      if (fashion == 0) w = draw.of<int64_t>({-128, 127});
      if (fashion == 1) w = -128;
      if (fashion == 2) w = draw.once_in(16) ? -128 : w;
      if (p.w_bits == 8) {
        numbers[static_cast<size_t>(at)] = w;
        stored[static_cast<size_t>(at)] = static_cast<uint8_t>(w);
      } else {
        const int64_t code = draw.between(0, codes - 1);
        numbers[static_cast<size_t>(at)] = p.w_low + p.w_step * code;
        auto& byte = stored[static_cast<size_t>(at * p.w_bits / 8)];
        byte = static_cast<uint8_t>(byte ^ (zero ^ code) << (at * p.w_bits % 8));
      }
    }
  p.weights = constant(c, stored);
  std::vector<uint8_t> saturates(static_cast<size_t>(blocks));
  for (int64_t at = 0; at < blocks * 16 * columns; at += 2) {
    const int64_t a = numbers[static_cast<size_t>(at)], b = numbers[static_cast<size_t>(at + 1)];
    const int64_t up = 255 * (std::max<int64_t>(a, 0) + std::max<int64_t>(b, 0));
    const int64_t down = 255 * (std::min<int64_t>(a, 0) + std::min<int64_t>(b, 0));
    if (up > INT16_MAX || down < INT16_MIN) saturates[static_cast<size_t>(at / (16 * columns))] = 1;
  }
  p.pair_saturates = p.w_bits == 8 ? constant(c, saturates) : nullptr;
  return std::max<int64_t>(128, std::abs(p.w_low) + std::abs(p.w_step) * codes) * reach * padded(segment, 4) * segments;
}

inline void draw_extents(Draw& draw, nibble_conv& p, const ConvWish& wish) {
  const bool flat = !draw.once_in(10), row = draw.once_in(6);
  const bool pointwise = wish.connected || (!wish.depthwise && draw.once_in(3));
  for (int k = 0; k < 3; ++k) {
    const bool absent = (k == 0 && flat) || (k == 1 && row);
    p.kernel[k] = absent || pointwise ? 1 : draw.of({1, 2, 3, 3, 3, 5});
    p.stride[k] = absent ? 1 : draw.of({1, 1, 1, 2, 2, 3});
    p.dilation[k] = p.kernel[k] > 1 && draw.once_in(6) ? draw.number(2, 3) : 1;
    p.pad[k] = absent || pointwise ? 0 : draw.number(0, p.kernel[k] - 1);
    p.in[k] = absent || wish.connected ? 1 : draw.number(1, 14);
    const int64_t behind = draw.number(0, p.pad[k]), window = int64_t{p.kernel[k] - 1} * p.dilation[k] + 1;
    const int64_t reach = p.in[k] + p.pad[k] + behind - window;
    p.out[k] = reach < 0 ? 1 : static_cast<int32_t>(reach / p.stride[k] + 1);
  }
  for (int k = 1; k < 3 && wish.three; ++k) {
    p.kernel[k] = 3, p.stride[k] = p.dilation[k] = 1, p.pad[k] = draw.number(0, 2), p.in[k] = draw.number(5, 19);
    if (k == 2 && wish.width > 0) p.in[k] = wish.width;
    p.out[k] = p.in[k] + p.pad[k] + draw.number(0, p.pad[k]) - 2;
  }
  if (wish.three) p.kernel[0] = p.stride[0] = p.dilation[0] = 1, p.pad[0] = 0, p.out[0] = p.in[0] = draw.number(1, 2);
}

/// Strides of [batch][depth][height][width][channels], now and then with gaps; how many elements they span.
inline int64_t draw_strides(Draw& draw, int64_t* strides, int32_t batch, const int32_t* extents, int64_t channels) {
  const bool gaps = draw.once_in(3);
  int64_t stride = channels + (gaps ? draw.between(0, 9) : 0), span = channels;
  for (int k = 3; k >= 0; --k) {
    const int64_t extent = k == 0 ? batch : extents[k - 1];
    strides[k] = stride;
    span += (extent - 1) * stride;
    stride = stride * extent + (gaps ? draw.between(0, 5) : 0);
  }
  return span;
}

inline void draw_sum(Draw& draw, nibble_conv& p, const Target& to) {
  p.sum_form = draw.of({1, 2, 2});
  p.r_type = draw.of<int32_t>({NIBBLE_I8, NIBBLE_U8});
  p.sum_shift = draw.number(0, 20);
  const double up = static_cast<double>(int64_t{1} << p.sum_shift);
  p.sum_a = static_cast<int64_t>(up * 2 * draw.real()), p.sum_b = static_cast<int64_t>(up * 2 * draw.real());
  p.sum_c = static_cast<int64_t>(up * 200 * (draw.real() - 0.5));
  p.sum_fa = draw.once_in(3) ? 0.5F : static_cast<float>(2 * draw.real());
  p.sum_fb = draw.once_in(3) ? 0.5F : static_cast<float>(2 * draw.real() - 0.5);
  p.sum_fc = draw.once_in(3) ? 0 : static_cast<float>(200 * (draw.real() - 0.5));
  p.sum_low = to.low, p.sum_high = to.high;
  // q is stored nowhere: its limits are those of its own grid, whatever y's type.
  if (p.stage.form == NIBBLE_STAGE_THRESHOLDS || draw.once_in(3)) return;
  const int64_t reach = draw.of<int64_t>({127, 128, 255, 256, 32767, 1 << 24, 1 << 25});
  p.stage.low = draw.once_in(3) ? 0 : -reach, p.stage.high = reach;
}

inline CasePointer conv_case(uint64_t seed, const ConvWish& wish) {
  Draw draw(seed);
  auto c = std::make_unique<Case>();
  nibble_conv p{};
  c->seed = seed;
  p.x_type = wish.x_type, p.w_type = NIBBLE_I8, p.batch = !wish.connected && draw.once_in(4) ? draw.number(2, 3) : 1;
  draw_extents(draw, p, wish);
  const int64_t positions = int64_t{p.batch} * p.out[0] * p.out[1] * p.out[2];
  const int64_t taps = int64_t{p.kernel[0]} * p.kernel[1] * p.kernel[2];
  const int64_t channels = std::max<int64_t>(1, wish.products / (positions * taps));
  p.groups = 1;
  if (wish.depthwise) {
    p.in_channels = p.out_channels = p.groups = std::min<int32_t>(
        draw.of({2, 3, 4, 8, 15, 16, 17, 24, 32, 40, 64, 70, 96}), static_cast<int32_t>(channels) + 1);
  } else {
    p.in_channels = draw.of({1, 3, 4, 5, 8, 16, 24, 27, 32, 33, 64, 100, 200});
    p.out_channels = draw.of({1, 2, 8, 10, 15, 16, 17, 24, 32, 33, 48, 64, 80});
    while (p.in_channels * p.out_channels > channels && p.in_channels > 3) p.in_channels /= 2;
    while (p.in_channels * p.out_channels > channels && p.out_channels > 8) p.out_channels /= 2;
    if (wish.three) p.in_channels = draw.of({16, 16, 20, 24, 32, 60, 64, 132, 260}), p.out_channels += 8;
    if (wish.grouped) {
      p.groups = draw.number(2, 4);
      p.in_channels = p.groups * std::max(1, p.in_channels / 4),
      p.out_channels = p.groups * std::max(1, p.out_channels / 4);
      if (p.groups == p.in_channels && p.groups == p.out_channels) p.out_channels *= 2;
    }
  }
  p.w_format = wish.grouped || draw.once_in(16) ? NIBBLE_PLAIN : NIBBLE_BLOCKED;
  if (wish.folded) p.w_format = NIBBLE_FOLDED;
  p.w_bits = p.w_format != NIBBLE_PLAIN && draw.once_in(wish.folded ? 2 : 6) ? draw.of({4, 2, 1}) : 8;
  // Zero is among the levels: what pads rows and columns.
  if (p.w_bits < 8) p.w_step = draw.of({1, 1, 2}), p.w_low = -p.w_step * draw.number(0, (1 << p.w_bits) - 1);
  if (p.w_bits == 2 && draw.once_in(6)) p.w_step = 64, p.w_low = -128;
  if (p.w_format == NIBBLE_PLAIN && draw.once_in(3)) p.w_type = NIBBLE_I16;
  const int64_t x_low = std::max<int64_t>(lowest(p.x_type), -4000), x_high = std::min<int64_t>(highest(p.x_type), 4000);
  p.zero_point = draw.once_in(3) ? 0 : draw.between(x_low, x_high);
  const int64_t reach = std::max(-x_low, x_high) + (p.w_format == NIBBLE_PLAIN ? std::abs(p.zero_point) : 0);
  const int64_t bound = draw_weights(draw, *c, p, reach);
  p.acc_type = bound < (int64_t{1} << 30) && !draw.once_in(16) ? NIBBLE_I32 : NIBBLE_I64;
  const int64_t bias = std::min<int64_t>(bound, 1 << 24);
  std::vector<int32_t> narrow(static_cast<size_t>(p.out_channels));
  std::vector<int64_t> wide(narrow.size());
  for (size_t i = 0; i < narrow.size(); ++i) wide[i] = narrow[i] = draw.number(-bias, bias);
  if (!draw.once_in(8)) p.bias = p.acc_type == NIBBLE_I32 ? constant(*c, narrow) : constant(*c, wide);

  const bool floats = bound + bias < (int64_t{1} << 30);
  const int32_t form = draw.once_in(8) || !floats ? NIBBLE_STAGE_NONE
                       : draw.once_in(2)
                           ? NIBBLE_STAGE_FLOAT
                           : draw.of<int32_t>({NIBBLE_STAGE_PRODUCT32, NIBBLE_STAGE_PRODUCT32, NIBBLE_STAGE_PRODUCT,
                                               NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_THRESHOLDS});
  p.y_type = form == NIBBLE_STAGE_NONE && !draw.once_in(4)
                 ? (p.acc_type == NIBBLE_I32 && !draw.once_in(3) ? NIBBLE_I32 : NIBBLE_I64)
             : form == NIBBLE_STAGE_FLOAT && draw.once_in(12) ? NIBBLE_I32
             : draw.once_in(12)                               ? NIBBLE_I16
                                                              : draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
  const Target to = target(draw, p.y_type);
  p.stage = stage(draw, *c, form, draw.once_in(4) ? 1 : p.out_channels, bound + bias, to);
  const int64_t x_span = draw_strides(draw, p.x_stride, p.batch, p.in, p.in_channels);
  const int64_t y_span = draw_strides(draw, p.y_stride, p.batch, p.out, p.out_channels);
  c->in.push_back(tensor(draw, p.x_type, x_span, x_low, x_high));
  if (form != NIBBLE_STAGE_NONE && size_of(p.y_type) == 1 && draw.once_in(3)) {
    draw_sum(draw, p, to);
    const int64_t r_span = draw_strides(draw, p.r_stride, p.batch, p.out, p.out_channels);
    c->in.push_back(tensor(draw, p.r_type, r_span, lowest(p.r_type), highest(p.r_type)));
  }
  p.split = draw.once_in(4);
  c->out_bytes = y_span * size_of(p.y_type);
  return finished(std::move(c), NIBBLE_KIND_CONV, p);
}

// ---- pools ---------------------------------------------------------------------------------------------------------

inline CasePointer pool_case(uint64_t seed, int32_t x_type) {
  Draw draw(seed);
  auto c = std::make_unique<Case>();
  c->seed = seed;
  nibble_conv shape{};
  draw_extents(draw, shape, ConvWish{.depthwise = true});
  nibble_pool p{};
  std::copy_n(shape.in, 3, p.in), std::copy_n(shape.out, 3, p.out), std::copy_n(shape.kernel, 3, p.kernel);
  std::copy_n(shape.stride, 3, p.stride), std::copy_n(shape.pad, 3, p.pad), std::copy_n(shape.dilation, 3, p.dilation);
  if (draw.once_in(3))  // of the whole plane
    for (int k = 1; k < 3; ++k) p.kernel[k] = p.in[k], p.out[k] = p.stride[k] = p.dilation[k] = 1, p.pad[k] = 0;
  p.batch = draw.number(1, 2), p.channels = draw.of({1, 3, 8, 15, 16, 17, 32, 40, 64, 100});
  p.op = draw.number(0, 1), p.x_type = x_type;
  const int64_t low = lowest(x_type), high = highest(x_type);
  p.zero_point = p.op == 0 || draw.once_in(3) ? 0 : draw.between(low, high);
  const int64_t bound = (high - low) * p.kernel[0] * p.kernel[1] * p.kernel[2];
  if (p.op == 0) {
    p.y_type = x_type;
    p.stage.low = low, p.stage.high = high;
  } else {
    const int32_t form =
        draw.of<int32_t>({NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_PRODUCT32, NIBBLE_STAGE_NONE});
    p.y_type = form == NIBBLE_STAGE_NONE ? NIBBLE_I32 : draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
    p.stage = stage(draw, *c, form, draw.once_in(3) ? p.channels : 1, bound, target(draw, p.y_type));
  }
  const int64_t x_span = draw_strides(draw, p.x_stride, p.batch, p.in, p.channels);
  const int64_t y_span = draw_strides(draw, p.y_stride, p.batch, p.out, p.channels);
  c->in.push_back(tensor(draw, x_type, x_span, low, high));
  c->out_bytes = y_span * size_of(p.y_type);
  return finished(std::move(c), NIBBLE_KIND_POOL, p);
}

// ---- pointwise, moves, reductions ----------------------------------------------------------------------------------

/// Extents of a rank and row-major strides over them, now and then with gaps or repeated; the span.
inline int64_t draw_view(Draw& draw, int32_t rank, const int32_t* extent, int64_t* strides, bool repeats) {
  const bool gaps = draw.once_in(3);
  int64_t stride = gaps && draw.once_in(3) ? 2 : 1, span = 1;
  for (int k = rank - 1; k >= 0; --k) {
    strides[k] = repeats && draw.once_in(4) ? 0 : stride;
    span += (extent[k] - 1) * strides[k];
    stride = std::max<int64_t>(stride, strides[k] * extent[k]) + (gaps ? draw.between(0, 3) : 0);
  }
  return span;
}

inline void draw_shape(Draw& draw, int32_t& rank, int32_t* extent) {
  rank = draw.number(1, 4);
  for (int k = 0; k < rank; ++k)
    extent[k] = k + 1 == rank ? draw.of({1, 3, 16, 17, 33, 64, 100, 200}) : draw.number(1, 6);
  if (rank <= 2 && draw.once_in(8)) extent[rank - 1] = 1100;
}

inline CasePointer pointwise_case(uint64_t seed) {
  Draw draw(seed);
  auto c = std::make_unique<Case>();
  c->seed = seed;
  nibble_pointwise p{};
  draw_shape(draw, p.rank, p.extent);
  p.op = draw.of<int32_t>({NIBBLE_COPY, NIBBLE_COPY, NIBBLE_ADD, NIBBLE_WEIGHTED, NIBBLE_WEIGHTED, NIBBLE_RELU,
                           NIBBLE_MUL, NIBBLE_SUB, NIBBLE_MIN, NIBBLE_MAX, NIBBLE_FLOAT_SUM, NIBBLE_FLOAT_SUM});
  const int operands = p.op == NIBBLE_COPY || p.op == NIBBLE_RELU ? 1 : 2;
  const bool repeats = draw.once_in(3);
  int64_t bound = 1;
  for (int i = 0; i < operands; ++i) {
    p.x_type[i] = draw.once_in(6) && operands == 1 ? NIBBLE_I32 : draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
    const int64_t low = std::max<int64_t>(lowest(p.x_type[i]), -(1 << 28)),
                  high = std::min<int64_t>(highest(p.x_type[i]), 1 << 28);
    const int64_t span = draw_view(draw, p.rank, p.extent, p.x_stride + i * NIBBLE_MAX_RANK, repeats);
    c->in.push_back(tensor(draw, p.x_type[i], span, low, high));
    bound = p.op == NIBBLE_MUL ? bound * std::max(-low, high) : bound + std::max(-low, high);
  }
  if (p.op == NIBBLE_WEIGHTED) {
    const int32_t bits = draw.of({0, 4, 12, 20});
    for (int i = 0; i < 2; ++i) {
      p.s[3 * i] = draw.between(0, int64_t{1} << bits), p.s[3 * i + 1] = draw.between(-1000, 1000);
      p.s[3 * i + 2] = bits < 8 || draw.once_in(2) ? 0 : draw.between(0, bits);
    }
    bound = 255 * (p.s[0] + p.s[3]) + 2000;
  }
  if (p.op == NIBBLE_FLOAT_SUM) {
    for (float& f : p.f) f = draw.once_in(3) ? 0.5F : static_cast<float>(2 * draw.real() - 0.7);
    bound = 1024;
  }
  const bool byte = operands == 1 && size_of(p.x_type[0]) == 1;
  const int32_t form = byte && draw.once_in(2)
                           ? NIBBLE_STAGE_TABLE
                           : draw.of<int32_t>({NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_PRODUCT32,
                                               NIBBLE_STAGE_PRODUCT, NIBBLE_STAGE_NONE});
  p.y_type = form == NIBBLE_STAGE_NONE && draw.once_in(2) ? NIBBLE_I32 : draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
  p.channel_axis = draw.once_in(2) ? p.rank - 1 : draw.once_in(2) ? -1 : draw.number(0, p.rank - 1);
  const int32_t channels = p.channel_axis < 0 || form == NIBBLE_STAGE_TABLE ? 1 : p.extent[p.channel_axis];
  p.stage = stage(draw, *c, form, channels, form == NIBBLE_STAGE_TABLE ? 256 : bound, target(draw, p.y_type));
  c->out_bytes = draw_view(draw, p.rank, p.extent, p.y_stride, false) * size_of(p.y_type);
  return finished(std::move(c), NIBBLE_KIND_POINTWISE, p);
}

inline CasePointer move_case(uint64_t seed) {
  Draw draw(seed);
  auto c = std::make_unique<Case>();
  c->seed = seed;
  nibble_move p{};
  draw_shape(draw, p.rank, p.extent);
  p.x_type = draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8, NIBBLE_I16, NIBBLE_I32, NIBBLE_I64});
  p.y_type = draw.once_in(4) ? NIBBLE_I64 : p.x_type;
  const bool turned = draw.once_in(3);
  int64_t span = draw_view(draw, p.rank, p.extent, p.x_stride, draw.once_in(3));
  if (turned && p.rank > 1) {  // axes in another order
    std::reverse(p.x_stride, p.x_stride + p.rank);
    span = 1;
    for (int k = 0; k < p.rank; ++k) span += (p.extent[k] - 1) * p.x_stride[k];
  }
  const bool planes = p.rank > 1 && draw.once_in(4);  // of two to four channels, which become pixels
  if (planes) {
    std::swap(p.extent[p.rank - 2], p.extent[p.rank - 1]);
    p.extent[p.rank - 1] = draw.number(2, 4);
    p.x_stride[p.rank - 2] = 1;
    p.x_stride[p.rank - 1] = p.extent[p.rank - 2] + draw.between(0, 3);
    span = (p.extent[p.rank - 1] - 1) * p.x_stride[p.rank - 1] + p.extent[p.rank - 2];
    for (int k = p.rank - 3; k >= 0; --k) p.x_stride[k] = span, span *= p.extent[k];
  }
  std::vector<int64_t> offsets;
  for (int k = 0; k < p.rank; ++k) {
    if (planes || !draw.once_in(6)) continue;
    p.listed |= 1 << k;
    p.first[k] = static_cast<int32_t>(offsets.size());
    for (int32_t i = 0; i < p.extent[k]; ++i)
      offsets.push_back(draw.once_in(5) ? -1 : p.x_stride[k] * draw.between(0, p.extent[k] - 1));
  }
  if (p.listed) p.offsets = constant(*c, offsets);
  p.fill = draw.between(0, 100);
  c->in.push_back(tensor(draw, p.x_type, span, std::max<int64_t>(lowest(p.x_type), -(1 << 30)),
                         std::min<int64_t>(highest(p.x_type), 1 << 30)));
  c->out_bytes = draw_view(draw, p.rank, p.extent, p.y_stride, false) * size_of(p.y_type);
  return finished(std::move(c), NIBBLE_KIND_MOVE, p);
}

inline CasePointer reduce_case(uint64_t seed) {
  Draw draw(seed);
  auto c = std::make_unique<Case>();
  c->seed = seed;
  nibble_reduce p{};
  int32_t rank = 0, extent[6] = {};
  int64_t strides[6] = {};
  draw_shape(draw, rank, extent);
  const int64_t span = draw_view(draw, rank, extent, strides, false);
  int64_t reduced = 1;
  const bool planes = draw.once_in(2);  // the sum of a plane, channels kept
  for (int k = 0; k < rank; ++k) {
    if (planes ? k + 1 == rank || (k == 0 && rank > 2) : draw.once_in(2)) {
      p.extent[p.rank] = extent[k], p.x_stride[p.rank++] = strides[k];
    } else {
      p.reduced[p.reduced_rank] = extent[k], p.reduced_stride[p.reduced_rank++] = strides[k];
      reduced *= extent[k];
    }
  }
  p.op = draw.of({0, 0, 0, 1, 2, 3}), p.x_type = draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8, NIBBLE_I8, NIBBLE_I32});
  const int64_t low = std::max<int64_t>(lowest(p.x_type), -(1 << 18)),
                high = std::min<int64_t>(highest(p.x_type), 1 << 18);
  p.zero_point = p.op || draw.once_in(3) ? 0 : draw.between(low, high);
  p.channel_axis = p.rank == 0 || draw.once_in(3) ? -1 : p.rank - 1;
  const Target to = target(draw, p.op ? NIBBLE_I64 : draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8}));
  p.y_type = to.type;
  const int32_t form = p.op ? NIBBLE_STAGE_NONE : draw.of<int32_t>({NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_PRODUCT32});
  p.stage = stage(draw, *c, form, p.channel_axis < 0 ? 1 : p.extent[p.channel_axis], (high - low) * reduced, to);
  c->in.push_back(tensor(draw, p.x_type, span, low, high));
  c->out_bytes = draw_view(draw, p.rank, p.extent, p.y_stride, false) * size_of(p.y_type);
  return finished(std::move(c), NIBBLE_KIND_REDUCE, p);
}

// ---- products of two activations -----------------------------------------------------------------------------------

inline CasePointer matmul_case(uint64_t seed) {
  Draw draw(seed);
  auto c = std::make_unique<Case>();
  c->seed = seed;
  nibble_matmul p{};
  p.a_type = draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8}), p.b_type = draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
  p.rows = draw.number(1, 12), p.inner = draw.of({1, 3, 8, 16, 31, 64}), p.columns = draw.of({1, 7, 16, 17, 40});
  p.acc_type = NIBBLE_I32;
  p.zero_a = draw.once_in(2) ? 0 : draw.between(lowest(p.a_type), highest(p.a_type));
  p.zero_b = draw.once_in(2) ? 0 : draw.between(lowest(p.b_type), highest(p.b_type));
  for (int k = 0; k < 3; ++k) p.batch[k] = draw.once_in(3) ? draw.number(2, 3) : 1;
  const auto view = [&](int64_t* strides, int32_t first, int32_t second, bool input) {
    const int32_t extent[5] = {p.batch[0], p.batch[1], p.batch[2], first, second};
    const int64_t span = draw_view(draw, 5, extent, strides, false);
    if (!input || !draw.once_in(3)) return span;
    std::swap(strides[3], strides[4]);  // transposed
    strides[3] = 1, strides[4] = first;
    strides[2] = int64_t{first} * second, strides[1] = strides[2] * p.batch[2], strides[0] = strides[1] * p.batch[1];
    return strides[0] * p.batch[0];
  };
  c->in.push_back(tensor(draw, p.a_type, view(p.a_stride, p.rows, p.inner, true), lowest(p.a_type), highest(p.a_type)));
  c->in.push_back(
      tensor(draw, p.b_type, view(p.b_stride, p.inner, p.columns, true), lowest(p.b_type), highest(p.b_type)));
  const int32_t form = draw.of<int32_t>({NIBBLE_STAGE_FLOAT, NIBBLE_STAGE_PRODUCT32, NIBBLE_STAGE_NONE});
  p.y_type = form == NIBBLE_STAGE_NONE ? NIBBLE_I32 : draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
  p.stage =
      stage(draw, *c, form, draw.once_in(2) ? p.columns : 1, int64_t{255 * 255} * p.inner, target(draw, p.y_type));
  c->out_bytes = view(p.y_stride, p.rows, p.columns, false) * size_of(p.y_type);
  return finished(std::move(c), NIBBLE_KIND_MATMUL, p);
}

/// A step of any kind that kernel sets have, by its number: half of them convolutions.
inline CasePointer any_case(uint64_t seed) {
  Draw draw(seed * 2 + 1);
  const int32_t byte = draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
  switch (draw.between(0, 13)) {
    case 0: return pool_case(seed, byte);
    case 1: return pointwise_case(seed);
    case 2: return move_case(seed);
    case 3: return reduce_case(seed);
    case 4: return matmul_case(seed);
    case 5: return conv_case(seed, {.x_type = byte, .grouped = true});
    case 6: return conv_case(seed, {.x_type = NIBBLE_I16});
    case 7:
    case 8:
    case 9: return conv_case(seed, {.x_type = byte, .depthwise = true});
    case 10: return conv_case(seed, {.x_type = byte, .connected = true});
    default: return conv_case(seed, {.x_type = byte});
  }
}

}  // namespace nibble::test
