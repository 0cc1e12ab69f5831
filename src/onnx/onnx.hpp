#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "graph/graph.hpp"

namespace nibble::onnx {

struct ReadOptions {
  /// Binds the symbolic batch where a graph needs it (a Reshape that multiplies it, say); unset: it stays symbolic.
  int64_t batch = any;
  /// Numbers of other symbolic extents of inputs, by the names that the file gives them (dim_param). A name is one
  /// number wherever it stands; as the name of a first axis it is the batch.
  std::map<std::string, int64_t, std::less<>> extents = {};
  /// Shapes of data by the names of inputs, the batch first (`any`): they bind what is still open behind the batch.
  std::map<std::string, Shape, std::less<>> data = {};
  /// The dialect of the file (dialects.hpp); empty: recognised from its content.
  std::string dialect = {};
};

/// An ONNX file (opset 7 to 25, external data beside it) as a verified graph: stage FP, FQ where it holds QDQ pairs or
/// our own metadata says so, QD or ID for our native files. Constants of any kind, shape subgraphs folded, graph inputs
/// that are initialisers too are constants. The first axis of an input, when symbolic, is the batch; every other axis
/// must have a number, in the file or in the options. What the file fixes is never changed.
/// Throws UserError "onnx: <file>: node '<name>' (<op>): ..." naming what is not supported and what is, and on a batch
/// or an extent in the options that no input leaves open; every count, shape and offset in the file is checked before
/// it is believed.
graph::Graph read(const std::filesystem::path& file, const ReadOptions& options = {});
graph::Graph read_bytes(std::string_view bytes, const std::string& place, const ReadOptions& options = {},
                        const std::filesystem::path& folder = {});

/// What a file says of its network before it is read.
struct Header {
  std::vector<std::string> inputs;  ///< names, of those that are no initialisers
  /// Names of inputs and outputs that the file declares as reals, where it is one of the standard's: what an integer
  /// network holds there stands for them.
  std::set<std::string, std::less<>> reals;
  std::map<std::string, std::string> metadata;
  bool open = false;  ///< an input leaves an extent behind its first open
};
/// Throws UserError where it is no ONNX file.
Header read_header(const std::filesystem::path& file);

/// Writes the graph in the dialect of that name (dialects.hpp). Throws UserError on a name that there is not, on a
/// stage that the dialect does not hold, and naming every node that it cannot say without changing an integer.
void write(const graph::Graph& graph, std::string_view dialect, const std::filesystem::path& file);

/// The model as ONNX that reads back to an equal graph: FP standard ops; FQ as Quantise = QuantizeLinear +
/// DequantizeLinear where the standard can say it (8-bit, and the rest in metadata), nibble-domain otherwise; QD and ID
/// in domain `nibble` where the standard lacks the op. Metadata carries stage, grids, bounds. Written beside and
/// renamed.
void write_native(const graph::Graph& graph, const std::filesystem::path& file);
std::string native_bytes(const graph::Graph& graph);

/// Which integer types a QDQ file uses: Byte 8 and 16 bits only (opset 13; what every tool reads); FourBit also INT4
/// and UINT4 for constants of at most 4 bits (opset 21); Exact also INT2 and UINT2 (opset 25), and both of activations
/// that have exactly these levels.
enum class Containers : uint8_t { Byte, FourBit, Exact };

/// The FQ graph as plain QDQ for any ONNX tool; a QD or ID graph as the FQ graph that means its integers by the
/// standard. Activations of other widths lie in the next wider type, cut by a Clip
/// between QuantizeLinear and DequantizeLinear (QCDQ). Throws UserError naming the nodes that the standard cannot say.
/// Rounding other than half_even differs on exact ties: that is the dialect's.
void write_qdq(const graph::Graph& graph, const std::filesystem::path& file,
               Containers containers = Containers::FourBit);

/// The ID graph in the dialect deeploy, every integer the same. Throws UserError naming every node that the dialect
/// cannot say, and why.
void write_deeploy(const graph::Graph& graph, const std::filesystem::path& file);
std::string deeploy_bytes(const graph::Graph& graph);

/// An integer network (or an FQ graph with biases on the grids of their sums) in the standard's integer ops,
/// QLinearConv and its kin, float at the borders: the standard's round_half_even over exact scales gives every integer.
/// Throws UserError naming the nodes that have no such scales. docs/design/dialects.md.
void write_qoperator(const graph::Graph& graph, const std::filesystem::path& file);

/// The FQ graph with its quantisers as Quant of domain qonnx.custom_op.general; a QD or ID graph as write_qdq takes it.
/// Throws UserError naming the nodes that the dialect cannot say. Exact ties round to even: that is the dialect's.
void write_qonnx(const graph::Graph& graph, const std::filesystem::path& file);

/// docs/reference/onnx.md: which ops, versions and attributes are read and written, from the tables.
std::string reference_page();

}  // namespace nibble::onnx
