#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"
#include "lower/lowering.hpp"

/// Which bytes of its buffers a step reads and writes, and when: what lets a result lie over what it is made of.
namespace nibble::lower {

/// A step as its kernel goes through it, block after block (nibble_order). Bytes count from where a buffer begins.
class Traffic {
 public:
  /// `parameters`: the kind's struct. Of an operand, or a step, of which nothing is known, `knows` is false.
  Traffic(const Draft& draft, const void* parameters, const nibble_order& order);

  bool knows(size_t operand) const { return operand < reads_.size() && !reads_[operand].along.empty(); }
  bool knows_result() const { return !writes_.along.empty(); }
  bool early(size_t operand) const { return (order_.early >> operand & 1) != 0; }
  int64_t blocks() const;

  struct Block {
    int64_t written;              ///< one beyond the last byte that it writes
    std::array<int64_t, 4> read;  ///< the first byte of each operand that it reads; INT64_MAX: none
  };
  Block block(int64_t index) const;

 private:
  /// For each axis of the items, for each index, what it adds to the first element; `nothing` where it meets none.
  struct Along {
    std::vector<std::vector<int64_t>> along;
    int64_t begin = 0, last = 0;  ///< elements: the view's offset; from an item's first to its last
    int32_t type = NIBBLE_U8;
  };
  static constexpr int64_t nothing = INT64_MAX;

  void set(const nibble_conv& p);
  void set(const nibble_pool& p);
  void set(const nibble_matmul& p);
  void set(const nibble_pointwise& p);
  void set(const nibble_move& p);
  void set(const nibble_reduce& p);
  void set(const nibble_row& p);
  template <class Parameters>
  void set_windows(const Parameters& p, int64_t channels);
  void set_items(const int32_t* extents, int32_t rank);
  static int64_t first_of(const Along& operand, const std::array<int64_t, 6>& at);
  Along walked(const int64_t* strides) const;

  nibble_order order_;
  std::vector<int64_t> extents_;
  std::vector<Along> reads_;
  Along writes_;
};

}  // namespace nibble::lower
