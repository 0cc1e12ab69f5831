#pragma once
#include <memory>
#include <string>

#include "backends/onednn/border.hpp"
#include "backends/onednn/primitive.hpp"
#include "runtime/nibble_backend.h"

namespace nibble::backends {

/// Thrown by the constructor: why oneDNN does not take a step.
struct Refusal {
  std::string why;
};

/// A convolution, or fully connected layer, whose sums oneDNN computes: u8 by s8 to s32, channels last.
///
/// Activations of s8 are read as u8 of a zero point larger by 128. What oneDNN's arithmetic would round or saturate is
/// avoided by weights in parts (parts.hpp). A large image is computed in bands of rows, whose sums stay in the cache.
class Convolution {
 public:
  explicit Convolution(const nibble_conv& conv);

  const int32_t* addend() const { return addend_.data(); }
  size_t scratch() const;
  /// nibble_backend_prepared's.
  int64_t grain() const { return bands_.size() > 1 ? bands_.front().rows * conv_.out[2] : 0; }
  /// "jit:avx2", "jit:avx2, 2 parts".
  std::string kernel() const;
  /// The sums, without the addend, of the items from `begin` on, to v.
  void run(const void* x, int64_t begin, void* scratch, int32_t* v) const;

  /// Why it cannot be one, from its description; empty where it may be.
  static std::string refusal(const nibble_conv& conv);

 private:
  /// Output rows, and where x begins for them.
  struct Band {
    int64_t row, rows, x;
    const Primitive* primitive;
  };
  /// A primitive and what it is made for: rows of x, pad before them, output rows.
  struct Shaped {
    std::array<int64_t, 3> rows;
    std::unique_ptr<Primitive> primitive;
  };

  void find_extents();
  void fill_addend(const Weights& weights);
  int64_t rows_a_band() const;
  bool cut(int64_t rows);
  const Primitive& shaped(int64_t x_rows, int64_t pad, int64_t rows);
  void gather(const void* x, uint8_t* to) const;
  size_t gathered_bytes() const;
  size_t sums_bytes() const;
  int64_t sums_of(const Band& band) const;

  nibble_conv conv_;
  int64_t shift_ = 0;     ///< of s8 to u8
  int64_t extent_[3];     ///< of x, without what no window meets
  bool gathers_ = false;  ///< x does not lie as oneDNN reads it
  std::vector<int32_t> addend_;
  std::vector<Shaped> shapes_;
  std::vector<Band> bands_;
  std::vector<dnnl::memory> parts_;
  std::unique_ptr<Border> border_;
};

}  // namespace nibble::backends
