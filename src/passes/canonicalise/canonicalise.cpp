#include "passes/canonicalise/canonicalise.hpp"

#include "passes/canonicalise/passes.hpp"

namespace nibble::passes {

Pipeline canonicalise(const Policy& policy) {
  // Several have to run again: what others leave is theirs to mend.
  const Step identities{"remove_identity", "Removes what does nothing: Identity, Dropout, reshapes to the same shape",
                        remove_identity};
  const Step clips{"unify_clips", "Joins Relu and Clip after one another", unify_clips};
  const Step reshapes{"merge_reshapes", "Joins chains of Reshape, Flatten, Squeeze and Unsqueeze", merge_reshapes};
  const Step batch_norms{"fold_batch_norm", "Folds a BatchNorm into the linear op before it",
                         [policy](graph::Graph& graph) { return fold_batch_norm(graph, policy); }};
  return {
      {"fold_constants", "Computes what depends on constants only", fold_constants},
      identities,
      clips,
      {"put_weights_second", "Turns a product with constant weights before the activation", put_weights_second},
      {"sink_transposes", "Moves Transposes towards the outputs until they cancel", sink_transposes},
      {"unify_means", "Writes every mean over whole axes as ReduceMean", unify_means},
      {"turn_transpose_into_reshape", "Writes a Transpose of extents of 1 as a Reshape", turn_transpose_into_reshape},
      identities,
      {"fuse_normalizations", "Makes one LayerNormalization or RMSNormalization of the ops that compute it",
       fuse_normalizations},
      {"fuse_functions", "Makes one op of those that compute GELU, SiLU, hard-swish, mish, ...", fuse_functions},
      {"unify_powers", "Writes Pow by 1, 2, 1/2, -1 as the op that it is", unify_powers},
      {"unify_masks", "Writes a mask before a Softmax as a constant that is added", unify_masks},
      {"move_scales", "Moves a scale behind the product of activations that reads it", move_scales},
      {"recognise_hard_functions", "Writes hard-sigmoid and hard-swish in pieces as one op", recognise_hard_functions},
      reshapes,
      {"unify_adds", "Joins a tree of Adds into one sum", unify_adds},
      {"merge_concats", "Joins Concats of Concats along one axis", merge_concats},
      {"join_split_convs", "Joins the convolutions of a Split into one of groups", join_split_convs},
      {"fold_pad", "Folds zero padding into the convolution or pool after it", fold_pad},
      {"turn_matmul_into_gemm", "Turns a matrix product with constant weights into a Gemm", turn_matmul_into_gemm},
      {"normalise_gemm", "Gives every Gemm weights [O, K] and no factors", normalise_gemm},
      {"fold_transpose_into_gemm", "Folds the Transpose before a flattened Gemm into its weights",
       fold_transpose_into_gemm},
      batch_norms,
      {"fold_affine", "Folds Mul, Div, Add, Sub by constants into the linear op before it", fold_affine},
      // A product folded first may have stood between a linear op and its BatchNorm.
      batch_norms,
      {"fold_affine_into_next", "Folds a BatchNorm, Mul, Add by constants into the linear op after it",
       [policy](graph::Graph& graph) { return fold_affine_into_next(graph, policy); }},
      clips,
      {"hoist_clips", "Moves Relu and Clip before max-pools and reshapes, to the linear op they follow", hoist_clips},
      clips,
      reshapes,
  };
}

}  // namespace nibble::passes
