#pragma once
#include <vector>

#include "passes/integerise/integerise.hpp"

/// FQ to QD to ID: every pass of integerise with its contract. File = function = name in the pipeline.
/// A pass returns how much it changed; the runner (pipeline.hpp) repeats it, tidies and verifies. "Equal" below means:
/// the graph computes the same function.
namespace nibble::passes {

/// FQ to FQ: products with a matrix of weights whose columns have scales, or numbers added to each, on rows and columns
/// alone, where the columns are axis 1 as requantisations want their channels.
///
///     before   y = quantise(matmul(x [.., K], w [K, O]) + b [O])
///     after    y = reshape(quantise(matmul(reshape(x, [rows, K]), w) + b), [.., O])
///
/// What lies between the product and its quantiser goes along: clips, constants of a row. Equal exactly.
int flatten_rows(graph::Graph& graph);

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
///              kappa = max |kappa[c]| / (2^(Q - 1) - 1), rounded up so that kappa * eps_y is a float32 number, over
///              the channels that have more than one level: one that is constant gives a gain of 0
///              gain[c] = round(kappa[c] / kappa), shift[c] = round(lambda[c] / kappa)
///
/// Q bits as asked, or the most of 8 to 16 whose sums are proven to fit the accumulator and are requantised exactly (or
/// only fit, where none are exact). Not equal: gains and shifts are put on a grid here, and what follows is exact of
/// that. Throws UserError naming a node whose sums do not fit.
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
/// The same of one node; false where it is no Quantise of such a function. A function with a number for each channel
/// gets a node before it, which picks the channel's part of the table.
bool tabulate_node(graph::Graph& graph, size_t index, int table_bits = 16,
                   std::vector<Approximation>* approximations = nullptr);

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
