#include "codegen/kernel_table.hpp"

#include <algorithm>
#include <functional>
#include <string>

#include "kernels/cortex_m/dsp.h"
#include "kernels/cortex_m/helium.h"
#include "kernels/packed/packed.h"
#include "kernels/portable/portable.h"
#include "kernels/unrolled/unrolled.h"
#include "program/parameters.hpp"

namespace nibble::codegen {
namespace {

/// A row a kernel: what it takes is asked of the parameters alone, so that any machine can answer.
struct Row {
  int kind;
  std::function<bool(const void*)> takes;
  Kernel kernel;
};

bool anything(const void*) {
  return true;
}

template <class Parameters>
std::function<bool(const void*)> asks(int (*takes)(const Parameters*)) {
  return [takes](const void* parameters) { return takes(static_cast<const Parameters*>(parameters)) != 0; };
}

bool is_depthwise(const void* parameters) {
  const auto* p = static_cast<const nibble_conv*>(parameters);
  return p->groups > 1 && nibble_portable_takes_conv(p) != 0 && p->kernel[0] * p->kernel[1] * p->kernel[2] <= 64;
}

bool is_without_groups(const void* parameters) {
  const auto* p = static_cast<const nibble_conv*>(parameters);
  return p->groups == 1 && nibble_portable_takes_conv(p) != 0;
}

template <class Parameters>
std::function<nibble_order(int, const void*)> goes(nibble_order (*order)(const Parameters*)) {
  return [order](int, const void* parameters) { return order(static_cast<const Parameters*>(parameters)); };
}

nibble_order one_by_one(int, const void*) {
  return nibble_one_by_one_order();
}

#define NIBBLE_SHARED "kernels/reference/reference.c", "kernels/reference/wide.c"
#define NIBBLE_SUMS NIBBLE_SHARED, "kernels/reference/reference_conv.c", "kernels/reference/reference_real_linear.c"

const std::vector<Row>& rows() {
  static const std::vector<Row> all{
      {NIBBLE_KIND_CONV,
       asks<nibble_conv>([](const nibble_conv* p) { return nibble_mve_takes_conv(p); }),
       {"helium",
        "nibble_conv_mve",
        {"kernels/cortex_m/mve_conv.c", "kernels/portable/conv.c", NIBBLE_SUMS},
        goes(nibble_conv_mve_order)}},
      {NIBBLE_KIND_CONV,
       asks<nibble_conv>([](const nibble_conv* p) { return nibble_mve_takes_depthwise(p); }),
       {"helium",
        "nibble_depthwise_mve",
        {"kernels/cortex_m/mve_depthwise.c", "kernels/portable/depthwise.c", NIBBLE_SUMS},
        goes(nibble_depthwise_mve_order)}},
      {NIBBLE_KIND_REDUCE,
       asks<nibble_reduce>([](const nibble_reduce* p) { return nibble_mve_takes_reduce(p); }),
       {"helium",
        "nibble_reduce_mve",
        {"kernels/cortex_m/mve_reduce.c", "kernels/portable/reduce.c", NIBBLE_SHARED},
        goes(nibble_reduce_mve_order)}},
      {NIBBLE_KIND_CONV,
       asks<nibble_conv>([](const nibble_conv* p) { return nibble_dsp_takes_conv(p); }),
       {"cortex_m_dsp",
        "nibble_conv_dsp",
        {"kernels/cortex_m/dsp_conv.c", NIBBLE_SHARED},
        goes(nibble_conv_dsp_order)}},
      {NIBBLE_KIND_CONV,
       asks<nibble_conv>([](const nibble_conv* p) { return nibble_dsp_takes_depthwise(p); }),
       {"cortex_m_dsp",
        "nibble_depthwise_dsp",
        {"kernels/cortex_m/dsp_depthwise.c", "kernels/portable/depthwise.c", NIBBLE_SHARED},
        goes(nibble_depthwise_dsp_order)}},
      {NIBBLE_KIND_CONV,
       asks<nibble_conv>([](const nibble_conv* p) { return nibble_unrolled_takes_conv(p); }),
       {"unrolled",
        "nibble_conv_unrolled",
        {"kernels/unrolled/unrolled_conv.c", NIBBLE_SUMS},
        goes(nibble_conv_unrolled_order)}},
      {NIBBLE_KIND_CONV,
       asks<nibble_conv>([](const nibble_conv* p) { return nibble_unrolled_takes_depthwise(p); }),
       {"unrolled",
        "nibble_depthwise_unrolled",
        {"kernels/unrolled/unrolled_depthwise.c", NIBBLE_SUMS},
        goes(nibble_depthwise_unrolled_order)}},
      {NIBBLE_KIND_CONV,
       is_without_groups,
       {"portable",
        "nibble_conv_portable",
        {"kernels/portable/conv.c", NIBBLE_SHARED},
        goes(nibble_conv_portable_order)}},
      {NIBBLE_KIND_CONV,
       is_depthwise,
       {"portable", "nibble_depthwise_portable", {"kernels/portable/depthwise.c", NIBBLE_SHARED}, one_by_one}},
      {NIBBLE_KIND_POOL,
       asks<nibble_pool>([](const nibble_pool* p) { return nibble_portable_takes_pool(p); }),
       {"portable", "nibble_pool_portable", {"kernels/portable/pool.c", NIBBLE_SHARED}, one_by_one}},
      {NIBBLE_KIND_REDUCE,
       asks<nibble_reduce>([](const nibble_reduce* p) { return nibble_portable_takes_reduce(p); }),
       {"portable", "nibble_reduce_portable", {"kernels/portable/reduce.c", NIBBLE_SHARED}, one_by_one}},
      {NIBBLE_KIND_CONV, anything, {"reference", "nibble_conv_reference", {NIBBLE_SUMS}, nibble_reference_order}},
      {NIBBLE_KIND_CONV_TRANSPOSE, anything, {"reference", "nibble_conv_transpose_reference", {NIBBLE_SUMS}}},
      {NIBBLE_KIND_MATMUL,
       anything,
       {"reference",
        "nibble_matmul_reference",
        {"kernels/reference/reference_matmul.c", NIBBLE_SUMS},
        nibble_reference_order}},
      {NIBBLE_KIND_POOL,
       anything,
       {"reference",
        "nibble_pool_reference",
        {"kernels/reference/reference_pool.c", NIBBLE_SUMS},
        nibble_reference_order}},
      {NIBBLE_KIND_POINTWISE,
       anything,
       {"reference",
        "nibble_pointwise_reference",
        {"kernels/reference/reference_pointwise.c", NIBBLE_SHARED},
        nibble_reference_order}},
      {NIBBLE_KIND_MOVE,
       anything,
       {"reference",
        "nibble_move_reference",
        {"kernels/reference/reference_move.c", NIBBLE_SHARED},
        nibble_reference_order}},
      {NIBBLE_KIND_GATHER,
       anything,
       {"reference", "nibble_gather_reference", {"kernels/reference/reference_gather.c", NIBBLE_SHARED}}},
      {NIBBLE_KIND_REDUCE,
       [](const void* parameters) { return nibble_is_packed(static_cast<const nibble_reduce*>(parameters)->x_type); },
       {"reference",
        "nibble_reduce_packed",
        {"kernels/packed/packed_reduce.c", "kernels/packed/packed.c", NIBBLE_SHARED},
        [](int, const void* p) { return nibble_packed_reduce_order(static_cast<const nibble_reduce*>(p)); }}},
      {NIBBLE_KIND_REDUCE,
       anything,
       {"reference",
        "nibble_reduce_reference",
        {"kernels/reference/reference_reduce.c", NIBBLE_SUMS},
        nibble_reference_order}},
      {NIBBLE_KIND_ROW,
       anything,
       {"reference",
        "nibble_row_reference",
        {"kernels/reference/reference_row.c", NIBBLE_SHARED},
        nibble_reference_order}},
      {NIBBLE_KIND_REAL,
       anything,
       {"reference", "nibble_real_reference", {"kernels/reference/reference_real.c", NIBBLE_SHARED}}},
  };
  return all;
}

/// The kernel of the first row, in the order of the sets, that takes what is asked.
template <class Takes>
const Kernel* first_kernel(const std::vector<std::string>& sets, int kind, Takes&& takes) {
  for (const std::string& set : sets)
    for (const Row& row : rows())
      if (row.kind == kind && row.kernel.set == set && takes(row)) return &row.kernel;
  return nullptr;
}

}  // namespace

const Kernel* kernel_for(const std::vector<std::string>& sets, int kind, const void* parameters) {
  return first_kernel(sets, kind, [&](const Row& row) { return row.takes(parameters); });
}

const Kernel* kernel_for(const std::vector<std::string>& sets, int kind,
                         const std::vector<std::vector<int64_t>>& parts) {
  std::vector<std::vector<int64_t>> blocks;
  for (const std::vector<int64_t>& part : parts) blocks.push_back(program::parameters_of(kind, part));
  return first_kernel(sets, kind, [&](const Row& row) {
    return std::all_of(blocks.begin(), blocks.end(), [&](const auto& block) { return row.takes(block.data()); });
  });
}

}  // namespace nibble::codegen
