// Claim: large convolutions and pointwise layers run at 80 % of what a core can multiply and more, fully connected ones
// of one row at 80 % of what it can read from memory; each beside its peak, measured in the same run with the same
// instructions.
//
// Every convolution of kernel_shapes.txt, with every kernel set that runs here. `of_peak` and `of_memory` are shares of
// the best of the loops around it; compare the rows `best`, on a machine that others use too.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr int rounds = 20000;

#if defined(__x86_64__)
// Twelve sums, enough to hide what an instruction takes; `each` names the instructions of one.
#define NIBBLE_LOOP(each)                                                                                          \
  for (int i = 0; i < rounds; ++i) {                                                                               \
    each("0") each("1") each("2") each("3") each("4") each("5") each("6") each("7") each("8") each("9") each("10") \
        each("11")                                                                                                 \
  }
#define NIBBLE_MADD(n) \
  asm volatile("vpmaddwd %%ymm13, %%ymm14, %%ymm12\n vpaddd %%ymm12, %%ymm" n ", %%ymm" n ::: "xmm12", "xmm" n);
#define NIBBLE_DOT_256(n) asm volatile("%{vex%} vpdpbusd %%ymm13, %%ymm14, %%ymm" n ::: "xmm" n);
#define NIBBLE_DOT_512(n) asm volatile("vpdpbusd %%zmm13, %%zmm14, %%zmm" n ::: "xmm" n);
__attribute__((target("avx2"))) void madd_loop() {
  NIBBLE_LOOP(NIBBLE_MADD)
}
__attribute__((target("avxvnni"))) void dot_256_loop() {
  NIBBLE_LOOP(NIBBLE_DOT_256)
}
__attribute__((target("avx512vnni"))) void dot_512_loop() {
  NIBBLE_LOOP(NIBBLE_DOT_512)
}
void tile_loop() {
  uint8_t shape[64] = {1};
  for (int i = 0; i < 6; ++i) shape[16 + 2 * i] = 64, shape[48 + i] = 16;
  asm volatile("ldtilecfg %0\n tilezero %%tmm4\n tilezero %%tmm5" : : "m"(shape));
  for (int i = 0; i < rounds; ++i)
    asm volatile(
        "tdpbusd %%tmm5, %%tmm4, %%tmm0\n tdpbusd %%tmm5, %%tmm4, %%tmm1\n"
        "tdpbusd %%tmm5, %%tmm4, %%tmm2\n tdpbusd %%tmm5, %%tmm4, %%tmm3" ::);
  asm volatile("tilerelease" ::);
}
#endif

/// Multiply-accumulates a second of a set's own instructions; 0 where no loop knows them.
double multiplies(const std::string& set) {
#if defined(__x86_64__)
  if (set == "avx2") return rounds * 12.0 * 16 / seconds_of(madd_loop);
  if (set == "avxvnni") return rounds * 12.0 * 32 / seconds_of(dot_256_loop);
  if (set == "amx") return rounds * 4.0 * 16 * 16 * 64 / seconds_of(tile_loop);
  if (set == "avx512vnni") return rounds * 12.0 * 64 / seconds_of(dot_512_loop);
#endif
  return 0;
}

/// Bytes read from memory a second: the best of pieces of 1 MiB, of more than any cache holds.
double reads() {
  constexpr size_t piece = (size_t{1} << 20) / sizeof(uint64_t);
  static const std::vector<uint64_t> numbers(256 * piece, 1);
  double best = 1e9;
  for (size_t first = 0; first < numbers.size(); first += piece) {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    best = std::min(best, seconds_of([&] {
                      const uint64_t* at = numbers.data() + first;
                      for (size_t i = 0; i < piece; i += 8, at += 8)
                        a += at[0] + at[4], b += at[1] + at[5], c += at[2] + at[6], d += at[3] + at[7];
                    }));
    benchmark::DoNotOptimize(a + b + c + d);
  }
  return static_cast<double>(piece * sizeof(uint64_t)) / best;
}

struct Shape {
  std::string name;
  int in_channels, out_channels, in, kernel, stride, groups, residual, bits = 8;
  int out() const { return (in + stride - 1) / stride; }
  double products() const {
    return static_cast<double>(kernel) * kernel * in_channels / groups * out_channels * out() * out();
  }
};

std::vector<Shape> shapes() {
  std::ifstream file(NIBBLE_KERNEL_SHAPES);
  std::vector<Shape> found;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Shape s;
    if (line.starts_with("#")) continue;
    if (words >> s.name >> s.in_channels >> s.out_channels >> s.in >> s.kernel >> s.stride >> s.groups >> s.residual) {
      if (!(words >> s.bits)) s.bits = 8;
      found.push_back(s);
    }
  }
  return found;
}

/// A convolution of a shape, u8 to u8 through a FLOAT stage, and its buffers.
struct Step {
  explicit Step(const Shape& s);
  nibble_conv p{};
  nibble_call call{};
  std::vector<uint8_t> weights, x, y, r, saturates, scratch;
  std::vector<int32_t> bias;
  std::vector<float> a, b;
};

void set_strides(int64_t* strides, int64_t side, int64_t channels) {
  strides[3] = channels, strides[2] = side * channels, strides[1] = strides[0] = side * side * channels;
}

Step::Step(const Shape& s) {
  const auto bytes = [](int64_t count) {
    std::vector<uint8_t> result(static_cast<size_t>(count + NIBBLE_SLACK));
    std::generate(result.begin(), result.end(), [] { return static_cast<uint8_t>(std::rand()); });
    return result;
  };
  const int blocks = (s.out_channels + 15) / 16, segment = (s.kernel * s.in_channels + 3) / 4 * 4;
  const int columns = s.groups > 1 ? (s.kernel * s.kernel + 3) / 4 * 4 : s.kernel * segment;
  weights = bytes(int64_t{blocks} * 16 * columns * s.bits / 8),
  saturates = std::vector<uint8_t>(static_cast<size_t>(blocks), 1);
  x = bytes(int64_t{s.in} * s.in * s.in_channels), y = bytes(int64_t{s.out()} * s.out() * s.out_channels), r = y;
  bias.assign(static_cast<size_t>(blocks * 16), 7), a.assign(bias.size(), 0.001F), b.assign(bias.size(), 100);
  p.x_type = p.y_type = p.r_type = NIBBLE_U8, p.w_type = NIBBLE_I8, p.acc_type = NIBBLE_I32;
  p.w_format = NIBBLE_BLOCKED, p.w_bits = s.bits, p.w_low = -(1 << s.bits) / 2, p.w_step = 1, p.batch = 1,
  p.zero_point = 3;
  p.in_channels = s.in_channels, p.out_channels = s.out_channels, p.groups = s.groups;
  for (int k = 0; k < 3; ++k) {
    p.in[k] = k ? s.in : 1, p.out[k] = k ? s.out() : 1, p.kernel[k] = k ? s.kernel : 1;
    p.stride[k] = k ? s.stride : 1, p.pad[k] = k ? (s.kernel - 1) / 2 : 0, p.dilation[k] = 1;
  }
  set_strides(p.x_stride, s.in, s.in_channels);
  set_strides(p.y_stride, s.out(), s.out_channels);
  set_strides(p.r_stride, s.out(), s.out_channels);
  if (s.residual) p.sum_form = 2, p.sum_fa = 0.5F, p.sum_fb = 0.5F, p.sum_high = 255;
  p.split = s.in == 1;
  p.weights = weights.data(), p.bias = bias.data(), p.pair_saturates = saturates.data();
  p.stage.form = NIBBLE_STAGE_FLOAT, p.stage.channels = s.out_channels, p.stage.high = 255;
  p.stage.a = a.data(), p.stage.b = b.data();
  scratch.resize(static_cast<size_t>(nibble_scratch(NIBBLE_KIND_CONV, &p)) + 64);
  call.in[0] = x.data(), call.in[1] = r.data(), call.out = y.data();
  call.scratch = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
  call.end = nibble_items(NIBBLE_KIND_CONV, &p);
}

void run(benchmark::State& state, const Shape& shape, const nibble_kernel_set* set) {
  Step step(shape);
  const char* name = "";
  const nibble_kernel kernel = set->find(NIBBLE_KIND_CONV, &step.p, &name);
  double best = 1e9, peak = 0;
  // Large layers of one row read other weights each time, which no cache has kept.
  std::vector<std::vector<uint8_t>> copies(shape.in == 1 && shape.products() > 8 << 20 ? 8 : 1, step.weights);
  size_t next = 0;
  for (auto _ : state) {
    step.p.weights = copies[next++ % copies.size()].data();
    const double seconds = seconds_of([&] { kernel(&step.p, &step.call); });
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
    if (state.iterations() % 64 == 0) peak = std::max(peak, multiplies(set->name));
  }
  peak = std::max(peak, multiplies(set->name));
  state.SetLabel(name);
  state.counters["us"] = best * 1e6;
  state.counters["GMAC/s"] = shape.products() / best / 1e9;
  if (peak > 0) state.counters["of_peak"] = shape.products() / best / peak;
  if (copies.size() > 1) state.counters["of_memory"] = static_cast<double>(step.weights.size()) / best / reads();
}

}  // namespace

int main(int argc, char** argv) {
  for (const Shape& shape : shapes())
    for (auto set = nibble_kernel_sets; *set; ++set) {
      const char* name = "";
      Step step(shape);
      if (!(*set)->runs_here() || (*set)->name == std::string("reference")) continue;
      if (!(*set)->find(NIBBLE_KIND_CONV, &step.p, &name)) continue;
      benchmark::RegisterBenchmark((shape.name + "/" + (*set)->name).c_str(), run, shape, *set)->UseManualTime();
    }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
