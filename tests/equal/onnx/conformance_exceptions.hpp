#pragma once
#include <string_view>

namespace nibble {

/// A case of ONNX's node tests that concerns an op of ours and is not run, and why.
struct ConformanceException {
  std::string_view prefix;  ///< of the case's name; the whole of it where '$' ends it
  std::string_view reason;
};

// clang-format off
inline constexpr ConformanceException conformance_exceptions[] = {
    {"test_add_uint8", "ONNX wraps at 8 bits; sums of ours are exact"},
    {"test_sub_uint8", "ONNX wraps at 8 bits; sums of ours are exact"},
    {"test_mul_uint8", "ONNX wraps at 8 bits; products of ours are exact"},
    {"test_operator_non_float_params", "arithmetic on int64 that is not a shape"},
    {"test_pow_types_int32_int32", "Pow is of reals"},
    {"test_pow_types_int64_int64", "Pow is of reals"},
    {"test_cast_BFLOAT16", "its data are a file of UINT16"},
    {"test_castlike_BFLOAT16", "its data are a file of UINT16"},
    {"test_cast_FLOAT_to_BFLOAT16", "its data are a file of UINT16"},
    {"test_castlike_FLOAT_to_BFLOAT16", "its data are a file of UINT16"},
    {"test_cast_FLOAT_to_FLOAT16", "float16 is computed in float32"},
    {"test_cast_DOUBLE_to_FLOAT16", "float16 is computed in float32"},
    {"test_castlike_FLOAT_to_FLOAT16", "float16 is computed in float32"},
    {"test_castlike_DOUBLE_to_FLOAT16", "float16 is computed in float32"},
    {"test_cast_FLOAT_to_STRING", "strings"},
    {"test_cast_STRING", "strings"},
    {"test_castlike_FLOAT_to_STRING", "strings"},
    {"test_castlike_STRING", "strings"},
    {"test_str", "strings"},
    {"test_batchnorm_epsilon_training_mode", "training"},
    {"test_batchnorm_example_training_mode", "training"},
    {"test_training_dropout", "training"},
    {"test_adagrad", "training"},
    {"test_adam", "training"},
    {"test_momentum", "training"},
    {"test_nesterov", "training"},
    {"test_dropout_default_mask", "the mask output"},
    {"test_convtranspose_autopad_same", "output_shape or auto_pad of ConvTranspose: pads and output_padding say it"},
    {"test_convtranspose_kernel_shape", "output_shape or auto_pad of ConvTranspose: pads and output_padding say it"},
    {"test_convtranspose_output_shape", "output_shape or auto_pad of ConvTranspose: pads and output_padding say it"},
    {"test_convtranspose_with_kernel", "output_shape or auto_pad of ConvTranspose: pads and output_padding say it"},
    {"test_maxpool_with_argmax", "the indices output"},
    {"test_dequantizelinear_axis", "zero points that differ from channel to channel"},
    {"test_quantizelinear_axis", "zero points that differ from channel to channel"},
    {"test_dynamicquantizelinear", "ranges found while running"},
    {"test_resize_downsample_scales_linear_align_corners", "ONNX's reference divides by an extent that it has not rounded yet; ONNX Runtime does as we do"},
    {"test_resize_downsample_scales_cubic", "cubic"},
    {"test_resize_downsample_sizes_cubic", "cubic"},
    {"test_resize_upsample_scales_cubic", "cubic"},
    {"test_resize_upsample_sizes_cubic", "cubic"},
    {"test_resize_downsample_sizes_nearest_tf_half_pixel_for_nn", "tf_half_pixel_for_nn"},
    {"test_resize_tf_crop_and_resize", "tf_crop_and_resize"},
    {"test_mod_mixed_sign_float", "Mod is folded on integers only"},
    {"test_reduce_max", "ReduceMax is folded on lists only"},
    {"test_reduce_min", "ReduceMin is folded on lists only"},
    {"test_reduce_prod", "ReduceProd is folded on lists only"},
    {"test_softmax_axis_0_expanded", "ReduceMax of what is computed"},
    {"test_softmax_axis_1_expanded", "ReduceMax of what is computed"},
    {"test_softmax_axis_2_expanded", "ReduceMax of what is computed"},
    {"test_softmax_default_axis_expanded", "ReduceMax of what is computed"},
    {"test_softmax_example_expanded", "ReduceMax of what is computed"},
    {"test_softmax_large_number_expanded", "ReduceMax of what is computed"},
    {"test_softmax_negative_axis_expanded", "ReduceMax of what is computed"},
    {"test_logsoftmax_", "LogSoftmax, and ReduceMax of what is computed"},
    {"test_blackmanwindow", "a window function"},
    {"test_hammingwindow", "a window function"},
    {"test_hannwindow", "a window function"},
    {"test_range_float_type_positive_delta_expanded", "a Loop"},
    {"test_range_int32_type_negative_delta_expanded", "a Loop"},
    {"test_identity_opt", "an optional"},
    {"test_identity_sequence", "a sequence"},
    {"test_optional", "an optional"},
    {"test_sequence", "a sequence"},
    {"test_loop", "a Loop"},
    {"test_nllloss_NCd1_ii_expanded", "Equal of what is computed"},
    {"test_nllloss_NCd1_mean_weight_negative_ii_expanded", "Equal of what is computed"},
    {"test_nllloss_NCd1_weight_ii_expanded", "Equal of what is computed"},
    {"test_nllloss_NCd1d2_no_weight_reduction_mean_ii_expanded", "Equal of what is computed"},
    {"test_nllloss_NCd1d2_with_weight_reduction_sum_ii_expanded", "Equal of what is computed"},
    {"test_nllloss_NCd1d2d3_none_no_weight_negative_ii_expanded", "Equal of what is computed"},
    {"test_nllloss_NCd1d2d3_sum_weight_high_ii_expanded", "Equal of what is computed"},
    {"test_operator_max$", "Max is folded only"},
    {"test_operator_min", "Min is folded only"},
};
// clang-format on

inline std::string_view exception_for(std::string_view name) {
  for (const ConformanceException& each : conformance_exceptions)
    if (name.starts_with(each.prefix) ||
        (each.prefix.ends_with('$') && each.prefix.substr(0, each.prefix.size() - 1) == name))
      return each.reason;
  return "";
}

}  // namespace nibble
