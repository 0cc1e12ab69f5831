#pragma once
#include <vector>

#include "graph/evaluate.hpp"
#include "passes/integerise.hpp"
#include "passes/quantise.hpp"

/// Every pass with its contract. File = function = name in the pipeline. A pass returns how much it changed; the runner
/// (pipeline.hpp) repeats it, tidies and verifies. "Equal" below means: the graph computes the same function.
namespace nibble::passes {

// ---- canonicalise: FP to FP
// ---------------------------------------------------------------------------------------------

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
///     before   y = reduce_mean(x, all spatial axes)            which drops them
///     after    y = reshape(reduce_mean(x, all spatial axes, keep_dims), [N, C])
///
/// Equal exactly.
int unify_means(graph::Graph& graph);

/// One op for what several compute of one value: Gelu in both forms, Swish, HardSwish, Mish, Sigmoid, Softplus,
/// HardSigmoid.
///
///     before   y = x * (erf(x / sqrt 2) + 1) / 2        in any order and spelling
///     after    y = gelu(x)
///
/// Recognised by what it computes: ops with scalar constants, at most 12, are evaluated from -20 to 20 and compared
/// with each candidate. Equal up to 3e-6 of 1 + |y|: the float rounding of the constants.
int fuse_functions(graph::Graph& graph);

/// One op for a normalisation over the last axis.
///
///     before   y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + e) * w + b       in any order and spelling
///     after    y = layer_normalization(x, w, b), or rms_normalization(x, w) where no mean is taken off
///
/// Recognised by what it computes, on five rows. Equal up to float rounding.
int fuse_normalizations(graph::Graph& graph);

/// One form of a mask with a constant condition that only Softmaxes read.
///
///     before   y = softmax(where(condition, c, x))      c <= -1000
///     after    y = softmax(x + mask)                    mask = where(condition, c, 0)
///
/// Equal up to exp(-1000 + x - max x), which is 0 in every float.
int unify_masks(graph::Graph& graph);

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

/// Moves transpositions towards the outputs until they meet their inverse: the islands of NHWC in what TensorFlow's
/// exporters write disappear.
///
///     before   y = f(transpose(x, p), transpose(z, p))
///     after    y = transpose(f'(x, z), p)            f' is f with its axes, pads and constants turned
///     before   y = transpose(transpose(x, p), q)
///     after    y = transpose(x, q after p)
///
/// Passes pointwise ops, arithmetic with each other and with constants, Concat, Split, Slice, Pad, Softmax, ReduceMean,
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
///     after    y = a' w^T + bias          w = alpha b'^T, bias = beta c; a transposed a is a Transpose before it, a
///     bias
///                                         that is not [O] an Add after it
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

// ---- float to fake: FP to FQ
// -------------------------------------------------------------------------------------------

/// One quantiser that an activation gets: every node that needs its integers reads it.
struct Point {
  graph::ValueId source;  ///< what it quantises: an activation, or a constant that meets one (a position, a table)
  std::string layer;      ///< its value's name is this with "_q" behind
  LayerPolicy policy;
  bool non_negative = false;        ///< provably: the grid is unsigned
  int behind = -1;                  ///< reads that point's quantised value instead of the source
  bool feeds_output_layer = false;  ///< read by a linear op that writes a graph output: its scale has 12 bits
  std::optional<Grid> fixed;        ///< known without calibration
  int group = -1;                   ///< points of one group share one grid (Add, Sub, Concat); -1: alone
};

/// Input `slot` of node `node` reads the quantiser `point`.
struct Reading {
  size_t node;
  size_t slot;
  int point;
};

/// A linear op with constant weights; `point` quantises its input where that is known directly.
struct LinearPoint {
  size_t node;
  size_t slot;         ///< of the weights
  int point;           ///< root quantiser of its activation, -1 where there is none
  bool writes_output;  ///< its accumulator is a graph output: one weight scale, bias on the accumulator's grid
  LayerPolicy policy;
  std::vector<double> gain;  ///< of the batch-norm that training will fold into the weights, one a channel; else none
};

/// A constant that is added to what is a sum of integers already: on the sum's own grid.
struct Addend {
  size_t node;
  size_t slot;
  int linear;  ///< a bias: of this linear op's accumulator; -1: a mask
  int point;   ///< a mask: beside this point's integers, below which nothing is left of an exponential
};

/// An Add, Sub or Concat on one scale, and the quantisers of its branches.
struct Harmonised {
  size_t node;
  std::vector<int> points;
};

struct QuantiserPlan {
  std::vector<Point> points;
  std::vector<Harmonised> harmonised;
  std::vector<Reading> readings;
  std::vector<LinearPoint> linears;
  std::vector<Addend> addends;
  std::vector<std::pair<size_t, int>> outputs;  ///< graph output, point: outputs that get a quantiser
};

/// Decides where quantisers stand; changes nothing. The rules are in docs/design/passes.md. Throws UserError naming a
/// node that cannot be quantised.
QuantiserPlan plan_quantisers(const graph::Graph& graph, const QuantiseOptions& options);

struct Calibration {
  std::vector<Grid> grids;               ///< one a point
  std::vector<HarmonisationCost> costs;  ///< of more than 3 dB on the first batch, in order of nodes
};

/// Runs the network on the batches and gives each point of the plan its grid; a group's covers the union of its
/// members' ranges. Throws UserError on an empty set and on NaN, naming the value.
Calibration calibrate(const graph::Graph& graph, const QuantiserPlan& plan, const graph::EngineMaker& engine,
                      const Batches& batches);

/// Makes an input take pixels: what its format does to them moves into the network.
///
///     before   y = conv(x, w, b)               x = gain p + shift, p a pixel
///     after    y = conv(p - zero, w gain, b + sum w (shift + gain zero))
///
/// Where the input is read by linear ops alone and, if they pad, one whole pixel `zero` is real zero in every channel.
/// Elsewhere the format is a Mul and an Add behind the input, whose result gets a quantiser of its own. Throws
/// UserError where the input is not there or has other channels than the format.
std::vector<TakenInput> take_pixels(graph::Graph& graph, const std::vector<InputFormat>& formats);

/// How a point's quantiser rounds: by its policy, but for what the network is given, which is read to the nearest
/// level.
Rounding rounding_of(const graph::Graph& graph, const Point& point);

/// The grid of a linear op's weights (times its gain, where training will fold one), by its policy.
Grid weight_grid(const graph::Graph& graph, const LinearPoint& linear);

/// Makes the mean of what each linear op gives what it was before its weights and its input were quantised.
///
///     before   y = conv(x, w, b)
///     after    y = conv(x, w, b + mean over examples and positions of conv(x, w) - conv(quantised x, quantised w))
///
/// x is the float network's, so that each op answers for its own error. Skips MatMul, which has no bias, and what
/// training will fold a batch-norm into: its statistics correct the mean. Runs the network and the twins of its linear
/// ops on the batches. Returns how many biases it set. Source: Nagel et al. 2019, Data-free quantization, section 4.2,
/// the empirical form.
int correct_biases(graph::Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids,
                   const graph::EngineMaker& engine, const Batches& batches);

/// Writes the quantisers of a plan into the graph: stage FQ afterwards. `grids` has one grid a point. Returns how many.
int place_quantisers(graph::Graph& graph, const QuantiserPlan& plan, const std::vector<Grid>& grids);

// ---- fake to true: FQ to QD to ID
// --------------------------------------------------------------------------------------

/// FQ to QD: every tensor becomes its integer image, every quantiser the real function that it is of the accumulator.
///
///     before   y = eps_y * clip(round(f(conv(eps_x * x', eps_w * w')) / eps_y))      f affine per channel, then clips
///     after    a = conv(x', w')           y' = clip(round(kappa * a + lambda))
///              kappa = alpha / eps_y, lambda = beta / eps_y, where f(eps_w * eps_x * a) = alpha * a + beta
///
/// Throws UserError naming a node that cannot become integer, and a quantiser that is missing.
/// docs/design/fake_to_true.md.
/// Softmax, normalisations and quotients become integer algorithms, QD's and ID's alike; `approximations` is told of
/// each and how far it may lead from the real function.
int propagate_scales(graph::Graph& graph, std::vector<Approximation>* approximations = nullptr);

/// Gives each rescaling the form that ONNX's integer ops have, so that qdq and qoperator files hold the same integers:
///
///     before   y' = clip(round(kappa * a + lambda) + z)
///     after    y' = clip(round_half_even(kappa' * (a + b)) + z)      kappa' = scale_x * scale_w' / scale_y
///              b a whole 32-bit bias, scale_w' the float32 next to kappa's; kappa < 0 changes the sign of the weights
///
/// A network of its own: lambda moves by at most kappa / 2, ties go to even. Before bounds, which the bias changes.
/// Returns how many rescalings it saw. Throws UserError naming a node whose bias or scale does not fit.
/// docs/design/dialects.md.
int standardise_rescalings(graph::Graph& graph);

/// Proves the range of every integer (Value::bounds), per channel for linear ops and products or sums with a constant
/// for each channel. Throws UserError naming a node, the channel and its bound where an accumulator may leave the bits
/// that it has. Source: NUMERICS.md, section 4.
int bound_accumulators(graph::Graph& graph, const AccumulatorBits& bits);

/// Splits the requantisation behind a batch-norm that shall be integer. Needs bounds, keeps them.
///
///     before   y' = clip(round(kappa[c] * a + lambda[c]))
///     after    y' = clip(round(kappa * (gain[c] * a + shift[c])))       gain, shift integers
///              kappa = max |kappa[c]| / (2^(Q - 1) - 1), rounded up so that kappa * eps_y is a float32 number
///              gain[c] = round(kappa[c] / kappa), shift[c] = round(lambda[c] / kappa)
///
/// Q bits as asked, or the most of 8 to 16 whose sums are proven to fit the accumulator and are requantised exactly (or
/// only fit, where none are exact). Not equal: gains and shifts
/// are put on a grid here, and what follows is exact of that. Throws UserError naming a node whose sums do not fit.
/// Source: NEMO report (22).
int integer_batch_norm(graph::Graph& graph, const IntegeriseOptions& options);

/// Replaces a real function of a narrow integer by its table.
///
///     before   y' = quantise(f(dequantise(x')))
///     after    y' = table[x' - first]     filled by the evaluator itself
///
/// Equal exactly, but for inputs of more than 2^table_bits levels: they get a table of so many entries with lines
/// between them, compared on every input, which `approximations` is told.
int tabulate(graph::Graph& graph, int table_bits = 16, std::vector<Approximation>* approximations = nullptr);

/// Replaces a requantised sum of branches on grids of their own by integers, certified over all combinations of them.
///
///     before   y' = clip(round(kappa_1 a_1 + kappa_2 a_2 + lambda))
///     after    y' = clip((a_1 m_1 + a_2 m_2 + b) >> d)         a_i m_i, their sum and its shift are nodes
///
/// Needs bounds. Throws UserError naming a node whose branches are too many or too wide to go through. Equal on every
/// combination where the certificate in `report` counts no difference. Source: NUMERICS.md, section 5.
int solve_sums(graph::Graph& graph, const IntegeriseOptions& options, IntegeriseReport& report);

/// QD to ID: replaces each real requantisation by integers, certified. Sets the stage to ID.
///
///     before   y' = clip(round(kappa * a + lambda))
///     after    y' = clip((a * m + b) >> d)
///
/// A Threshold takes its place, exactly, where no m, b, d of any width step alike (ties to even at a ratio like 1/2),
/// where it is cheaper, and where it is asked for (IntegeriseOptions::thresholds, a batch-norm's own way).
/// Needs bounds. Equal on every reachable accumulator where the certificate in `report` counts no difference.
/// Source: NUMERICS.md, section 5.
int solve_requantisations(graph::Graph& graph, const IntegeriseOptions& options, IntegeriseReport& report);

}  // namespace nibble::passes
