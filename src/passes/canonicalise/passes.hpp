#pragma once
#include "graph/graph.hpp"
#include "passes/policy.hpp"

/// FP to FP: every pass of canonicalise with its contract. File = function = name in the pipeline.
/// A pass returns how much it changed; the runner (pipeline.hpp) repeats it, tidies and verifies. "Equal" below means:
/// the graph computes the same function.
namespace nibble::passes {

/// Computes what depends on constants only.
///
///     before   y = f(constants)
///     after    y constant; reals rounded once to float32
///
/// Skips quantisers (their weights are still to be trained) and what writes a graph output. Equal up to float rounding.
int fold_constants(graph::Graph& graph);

/// Removes what does nothing: Identity, Dropout, a Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Slice, Pad, Resize
/// that leaves its input as it is, a Concat or Split of one piece, a 1x1 pool of stride 1, a Clip without bounds.
///
///     before   y = x
///     after    readers of y read x; a graph output keeps its name
///
/// Skips one between a graph input (or constant, or another output) and a graph output. Equal exactly.
int remove_identity(graph::Graph& graph);

/// Joins chains of Reshape, Flatten, Squeeze and Unsqueeze.
///
///     before   y = flatten(reshape(x))
///     after    y = reshape(x, shape of y)            or flatten(x) where y is [batch, all the rest]
///
/// Skips where more than the batch extent of y is unknown. Equal exactly.
int merge_reshapes(graph::Graph& graph);

/// One op for a mean over whole axes.
///
///     before   y = global_average_pool(x)            or an average pool whose one window is all of x, or reduce_mean
///                                                    over negative, unsorted or no axes
///     after    y = reduce_mean(x, axes = 2.., keep_dims)       axes counted from the front, ascending
///     before   y = reduce_sum(x, axes)               of reals
///     after    y = reduce_mean(x, axes) * count      count = product of the extents, where they are known
///     before   y = reduce_mean(x, all spatial axes)            which drops them
///     after    y = reshape(reduce_mean(x, all spatial axes, keep_dims), [N, C])
///
/// Equal exactly.
int unify_means(graph::Graph& graph);

/// One op for what several compute of one value: a function of reals, those that are named as candidates in its file.
///
///     before   y = x * (erf(x / sqrt 2) + 1) / 2        in any order and spelling
///     after    y = gelu(x)
///
/// Recognised by what it computes: ops with scalar constants, at most 12, are evaluated from -20 to 20 and compared
/// with each candidate. Equal up to 3e-6 of 1 + |y|: the float rounding of the constants.
int fuse_functions(graph::Graph& graph);

/// One op for a normalisation over any axes.
///
///     before   y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + e) * w + b       in any order and spelling
///     after    y = layer_normalization(x, w, b), or rms_normalization(x, w) where no mean is taken off
///
/// The means are over the same axes, w and b vary along these alone. Axes that are not the last are transposed there and
/// back. An epsilon of 0 becomes graph::no_epsilon. Recognised by what it computes, on five rows. Equal up to float
/// rounding.
int fuse_normalizations(graph::Graph& graph);

/// Writes Pow by a number that has an op of its own as that op.
///
///     before   y = pow(x, 1), pow(x, 2), pow(x, 1/2), pow(x, -1)
///     after    y = x, x * x, sqrt(x), reciprocal(x)
///
/// Equal up to float rounding.
int unify_powers(graph::Graph& graph);

/// One form of a mask with a constant condition that only Softmaxes read.
///
///     before   y = softmax(where(condition, c, x))      c <= -1000
///     after    y = softmax(x + mask)                    mask = where(condition, c, 0)
///
/// Equal up to exp(-1000 + x - max x), which is 0 in every float.
int unify_masks(graph::Graph& graph);
/// The lowest number of float32, as a mask before a Softmax, takes no more away than this, and leaves scores no digits in a
/// sum of integers.
constexpr double largest_mask = 10000;

/// Moves a positive scalar factor behind the product of two activations, where the requantisation takes it.
///
///     before   y = (s x) w,   y = (x / s) w             x, w activations, s > 0
///     after    y = s (x w),   y = (x w) / s
///
/// Skips a factor that anything else reads. Equal up to float rounding.
int move_scales(graph::Graph& graph);

/// One clip where there were several, Relu where it is one.
///
///     before   y = clip(clip(x, a, b), c, d)         Relu = clip(x, 0, inf)
///     after    y = clip(x, clip(a, c, d), clip(b, c, d))
///     before   y = clip(x, 0, inf)                   or max(x, 0)
///     after    y = relu(x)
///     before   y = min(max(x, a), b)                 with numbers a, b
///     after    y = clip(x, a, b)
///
/// Skips a clip whose low is above its high. Equal exactly.
int unify_clips(graph::Graph& graph);

/// Moves a Relu or Clip before the max-pool or reshaping that it follows, to where the quantiser of a linear op absorbs
/// it.
///
///     before   y = relu(max_pool(x))
///     after    y = max_pool(relu(x))                 both are monotone, so they commute
///
/// Passes over MaxPool, Flatten, Reshape, Squeeze, Unsqueeze, Transpose. Skips a value with a second reader. Equal
/// exactly.
int hoist_clips(graph::Graph& graph);

/// Puts the constant weights of a product behind its activation, where linear ops have them; quantised weights with
/// their scales.
///
///     before   y = matmul(w, x)
///     after    y = transpose(matmul(transpose(x), w'))       w' = transpose(w), of the last two axes each
///
/// Skips operands of rank 1. Equal up to the order of float sums.
int put_weights_second(graph::Graph& graph);

/// Moves transpositions towards the outputs until they meet their inverse: the islands of NHWC in what TensorFlow's
/// exporters write disappear.
///
///     before   y = f(transpose(x, p), transpose(z, p))
///     after    y = transpose(f'(x, z), p)            f' is f with its axes, pads and constants turned
///     before   y = transpose(transpose(x, p), q)
///     after    y = transpose(x, q after p)
///
/// Passes pointwise ops, quantisers with one scale, arithmetic with each other and with constants, Concat, Split, Slice, Pad, Softmax, ReduceMean,
/// Resize, and a BatchNormalization whose channels stay where they are. Skips where another reader of the transposed
/// value would keep it, and a value that is a graph output. Equal exactly.
int sink_transposes(graph::Graph& graph);

/// Writes a Transpose that moves nothing but extents of 1 as the reshape that it is.
///
///     before   y = transpose(x [N, C, 1, 1], 0 2 3 1)
///     after    y = reshape(x, [N, 1, 1, C])
///
/// Equal exactly.
int turn_transpose_into_reshape(graph::Graph& graph);

/// Folds the Transpose before a flattened Gemm into the order of its weights' columns.
///
///     before   y = gemm(flatten(transpose(x, p)), w)
///     after    y = gemm(flatten(x), w')              w' has the columns of w in the order of x
///
/// Skips a p that moves the batch, and a Gemm that is not normalised. Equal up to the order of float sums.
int fold_transpose_into_gemm(graph::Graph& graph);

/// Writes hard-sigmoid and hard-swish that were exported in pieces as the one op that they are.
///
///     before   y = clip(a x + b, 0, h) / h           or with the factor 1/h
///     after    y = hard_sigmoid(x, alpha = a / h, beta = b / h)
///     before   y = x hard_sigmoid(x, 1/6, 1/2)       or x clip(x + 3, 0, 6) / 6, in any order
///     after    y = hard_swish(x)
///
/// Equal up to float rounding.
int recognise_hard_functions(graph::Graph& graph);

/// Joins Concats of Concats along one axis.
///
///     before   y = concat(concat(a, b), c)
///     after    y = concat(a, b, c)
///
/// Skips an inner one that anything else reads. Equal exactly.
int merge_concats(graph::Graph& graph);

/// Joins a tree of Adds into one sum: one group of branches on a common scale, one requantisation after all of them.
///
///     before   y = (a + b) + c
///     after    y = add(a, b, c)
///     before   y = add(a, b, constant)
///     after    y = add(a, b) + constant              a sum is of activations alone, or of one value and one constant
///
/// Skips an inner sum that anything else reads. Equal up to the order of float sums.
int unify_adds(graph::Graph& graph);

/// Joins the pieces of a convolution that was exported one group at a time.
///
///     before   y = concat(conv(x_1, w_1, b_1), .., conv(x_g, w_g, b_g))        x_1 .. x_g = split(x) along C
///     after    y = conv(x, [w_1; ..; w_g], [b_1; ..; b_g], group = g)
///
/// Skips pieces of different extents, attributes or forms of weights, and results with another reader. Equal exactly.
int join_split_convs(graph::Graph& graph);

/// Folds a Pad into the window op after it.
///
///     before   y = conv(pad(x, p), w), pads q
///     after    y = conv(x, w), pads p + q
///
/// Zeros on spatial axes only. An AveragePool takes them where its own pads count (or are none) and it has no
/// ceil_mode: it then counts them; a MaxPool where x >= 0 (Relu, Clip before it) and every window meets x. Skips a pad
/// with a second reader. Equal exactly.
int fold_pad(graph::Graph& graph);

/// One form of Gemm: alpha = beta = 1, a as it is, weights [O, K], bias [O].
///
///     before   y = alpha a' b' + beta c
///     after    y = a' w^T + bias          w = alpha b'^T, bias = beta c; a transposed a is a Transpose before it,
///                                         a bias that is not [O] an Add after it
///
/// Skips weights that are not constant. Equal up to float rounding.
int normalise_gemm(graph::Graph& graph);

/// Turns a product with constant weights on rank 2 into a Gemm; the Add after it is then fold_affine's.
///
///     before   y = x w                    x [M, K], w [K, O] constant
///     after    y = gemm(x, w^T)
///
/// Skips other ranks. Equal exactly.
int turn_matmul_into_gemm(graph::Graph& graph);

/// Folds a BatchNorm into the linear op before it.
///
///     before   y = (conv(x, w, b) - mean) * gain + beta        gain = gamma / sqrt(variance + epsilon)
///     after    y = conv(x, w * gain, (b - mean) * gain + beta)
///
/// Skips a linear op that anything else reads, and weights that are not constant (a quantiser before them). A BatchNorm
/// without a linear op before it stays: fake to true composes it into the requantisation. Equal up to float rounding.
/// Source: NEMO report (18).
/// Skips what the policy keeps for later.
int fold_batch_norm(graph::Graph& graph, const Policy& policy);
int fold_batch_norm(graph::Graph& graph);

/// Folds Mul, Div, Add, Sub by a constant (scalar or per channel) into the linear op before it.
///
///     before   y = conv(x, w, b) * g + h
///     after    y = conv(x, w * g, b * g + h)
///
/// Skips as fold_batch_norm does. Equal up to float rounding.
int fold_affine(graph::Graph& graph);

/// Folds an affine function per channel into the linear op after it.
///
///     before   y = conv(x * gain + shift, w, b)      a BatchNorm, or Mul, Div, Add, Sub by constants
///     after    y = conv(x, w', b + sum of w * shift)           w'[o,c,k] = w[o,c,k] * gain[c]
///
/// Skips a shift before padding (what is padded is not shifted), another reader, and an x that is a sum: that composes
/// into its own requantisation, and what the policy keeps for later. Equal up to float rounding.
int fold_affine_into_next(graph::Graph& graph, const Policy& policy);
int fold_affine_into_next(graph::Graph& graph);

}  // namespace nibble::passes
