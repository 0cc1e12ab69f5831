#include "equal/kernels/cases.hpp"
#include "equal/lab/backend_modules.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "lab/runtime_engine.hpp"
#include "lower/lower.hpp"

// Whatever back end takes a step, the integers are the reference's.
namespace nibble::tests {
namespace {

using test::Case;
using test::Draw;

/// A step that a back end may have taken.
class Taken {
 public:
  Taken(const nibble_backend& backend, const Case& c) : backend_(backend), case_(c) {
    const nibble_backend_step step{c.kind, "step", "op", c.parameters.get(), nibble_items(c.kind, c.parameters.get())};
    char why[128] = "";
    taken_ = backend.takes(&step, why, sizeof why) != 0 && backend.prepare(&step, &prepared_, why, sizeof why) != 0;
    why_ = why;
  }
  ~Taken() {
    if (taken_) backend_.release(prepared_.handle);
  }
  Taken(const Taken&) = delete;

  explicit operator bool() const { return taken_; }
  const std::string& why() const { return why_; }
  std::string kernel() const { return prepared_.kernel; }

  /// The bytes of the output, all of it, as test::run gives them.
  std::vector<uint8_t> run(nibble_finisher finisher, int* fault) const {
    const auto items = nibble_items(case_.kind, case_.parameters.get());
    const int64_t sums = nibble_sums(case_.kind, case_.parameters.get(), 0, items);
    std::vector<int32_t> v(static_cast<size_t>(sums) + 16, 77);
    std::vector<uint8_t> out(static_cast<size_t>(case_.out_bytes) + 256, 0xa5), scratch(prepared_.scratch + 128);
    nibble_call call{};
    for (size_t i = 0; i < case_.in.size(); ++i) call.in[i] = case_.in[i].data();
    call.out = out.data() + 128;
    call.scratch = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
    *fault = NIBBLE_FINE;
    const int64_t grain = prepared_.grain > 0 ? prepared_.grain : items;
    for (int64_t begin = 0; begin < items && *fault == NIBBLE_FINE; begin += grain) {
      call.begin = begin, call.end = std::min(begin + grain, items);
      *fault = backend_.run(prepared_.handle, &call, v.data());
      if (*fault == NIBBLE_FINE)
        *fault = nibble_finish_sums(case_.kind, case_.parameters.get(), &call, v.data(), prepared_.addend, finisher);
    }
    for (size_t i = static_cast<size_t>(sums); i < v.size(); ++i) EXPECT_EQ(v[i], 77) << "beyond the sums";
    return out;
  }

 private:
  const nibble_backend& backend_;
  const Case& case_;
  nibble_backend_prepared prepared_{};
  bool taken_ = false;
  std::string why_;
};

/// The set's finisher, where this CPU runs one.
nibble_finisher fast_finisher() {
  for (auto set = nibble_kernel_sets; *set; ++set)
    if ((*set)->runs_here() && (*set)->finish != nullptr) return (*set)->finish;
  return nullptr;
}

void expect_the_references_bytes(const Case& c, const Taken& taken) {
  int wanted_fault = 0, fault = 0;
  const auto items = nibble_items(c.kind, c.parameters.get());
  const auto wanted = test::run(c, test::reference_of(c.kind), {0, items}, &wanted_fault);
  for (nibble_finisher finisher : {nibble_finisher{}, fast_finisher()}) {
    ASSERT_EQ(taken.run(finisher, &fault), wanted) << taken.kernel() << ": seed " << c.seed << ":" << c.text;
    ASSERT_EQ(fault, wanted_fault);
  }
}

test::CasePointer byte_conv(uint64_t seed) {
  Draw draw(seed * 2 + 1);
  const int32_t type = draw.of<int32_t>({NIBBLE_U8, NIBBLE_I8});
  const int64_t kind = draw.between(0, 3);
  return test::conv_case(seed, {.x_type = type, .depthwise = kind == 1, .grouped = kind == 2});
}

TEST(OneDnn, SumsOfRandomConvolutionsAreTheReferences) {
  if (!has_onednn()) GTEST_SKIP() << "built without oneDNN";
  const nibble_backend* backend = backend_in(built_backends() / "onednn.so");
  ASSERT_NE(backend, nullptr);
  std::map<std::string, int> kernels, refusals;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    const auto c = byte_conv(seed);
    const Taken taken(*backend, *c);
    ++(taken ? kernels[taken.kernel()] : refusals[taken.why()]);
    if (taken) expect_the_references_bytes(*c, taken);
    if (HasFatalFailure()) return;
  }
  int took = 0;
  for (const auto& [kernel, count] : kernels) took += count;
  EXPECT_GT(took, 750);
  for (const auto& [why, count] : refusals) {
    EXPECT_FALSE(why.empty());
    std::cout << count << " refused: " << why << "\n";
  }
  for (const auto& [kernel, count] : kernels) std::cout << count << " by " << kernel << "\n";
}

/// Whole networks through the runtime.
void expect_the_evaluators_integers(const graph::Graph& graph, uint64_t seed, const std::string& backend) {
  const std::vector<Tensor> inputs = random_integers(graph, seed);
  const auto wanted = graph::reference_engine(graph)->run(inputs, {});
  for (int threads : {1, 3}) {
    lab::RuntimeOptions options{.threads = threads, .kernels = {}};
    options.backends = {backend};
    ASSERT_EQ(lab::runtime_engine(graph, options)->run(inputs, {}), wanted) << backend << ", seed " << seed;
  }
}

TEST(Backends, GiveTheEvaluatorsIntegersOnRandomNetworks) {
  const BackendFolders folders;
  std::vector<std::string> names{"reference", "whole", "naive"};
  if (has_onednn()) names.push_back("onednn");
  for (uint64_t seed = 0; seed < 60; ++seed)
    for (const std::string& name : names) {
      const Style style = seed % 2 == 0 ? Style::Deployable : Style::Any;
      expect_the_evaluators_integers(random_integer_network(seed, style), seed, name);
      if (HasFatalFailure()) return;
    }
}

/// Images that are large enough to be cut into bands: any window, and full zero points.
class ImageNetwork : public IntegerNetwork {
 public:
  using IntegerNetwork::IntegerNetwork;

  graph::Graph make() {
    const Interval levels = chance(2) ? Interval{0, 255} : Interval{-128, 127};
    Live x = input({1, one_of<int64_t>({3, 8, 16}), between(40, 60), between(40, 60)}, levels);
    for (int64_t layer = 0; layer < 2; ++layer) {
      graph::Conv op;
      const int64_t kernel = one_of<int64_t>({1, 3, 3, 5}), stride = between(1, 2), channels = shape(x)[1];
      op.strides = {stride, stride}, op.dilations = {between(1, 2), 1};
      for (int i = 0; i < 4; ++i) op.pads.push_back(between(0, kernel - 1));
      op.zero_point = chance(3) ? 0 : between(levels.low, levels.high);
      const bool depthwise = layer == 1 && chance(2);
      const Live sum = conv(x, depthwise ? channels : one_of<int64_t>({16, 24, 40}), depthwise ? channels : 1,
                            {-128, 127}, op, kernel, chance(2));
      x = requantise(sum, levels, true, 12, false);
    }
    return finish(1);
  }
};

TEST(OneDnn, GivesTheEvaluatorsIntegersOnImagesThatAreCutIntoBands) {
  if (!has_onednn()) GTEST_SKIP() << "built without oneDNN";
  const BackendFolders folders;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    expect_the_evaluators_integers(ImageNetwork(seed).make(), seed, "onednn");
    if (HasFatalFailure()) return;
  }
}

/// How many steps of a network a back end takes.
size_t taken_steps(const graph::Graph& graph, const std::string& name) {
  lab::RuntimeOptions options;
  options.backends = {name};
  const lab::LoadedProgram loaded(program::write(lower::lower(graph)), options);
  size_t count = 0;
  for (size_t i = 0; i < nibble_steps(loaded.program()); ++i) {
    nibble_step_info info;
    EXPECT_EQ(nibble_step(loaded.program(), i, &info), NIBBLE_OK);
    EXPECT_EQ(*info.why == 0, info.set == name) << info.why;
    count += info.set == name ? 1 : 0;
  }
  return count;
}

/// A fully connected layer whose sums are odd numbers beyond 2^24, and are the outputs.
class SumNetwork : public IntegerNetwork {
 public:
  using IntegerNetwork::IntegerNetwork;

  graph::Graph make() {
    const Live x = input({1, 1500}, {200, 255});
    gemm(x, 20, {119, 127}, true, 0, true);
    return finish(1);
  }
};

TEST(OneDnn, SumsBeyondTheIntegersOfAFloatAreExact) {
  if (!has_onednn()) GTEST_SKIP() << "built without oneDNN";
  const BackendFolders folders;
  const graph::Graph graph = SumNetwork(7).make();
  expect_the_evaluators_integers(graph, 7, "onednn");
  const auto sums = graph::reference_engine(graph)->run(random_integers(graph, 7), {}).front().to_integers();
  EXPECT_TRUE(std::any_of(sums.begin(), sums.end(), [](int64_t sum) { return sum > 1 << 25 && sum % 2 != 0; }));
  EXPECT_EQ(taken_steps(graph, "onednn"), 1u);
}

TEST(Backends, TakeTheStepsThatTheySayAndLeaveTheOthersWithAReason) {
  const BackendFolders folders;
  size_t naive = 0, onednn = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const graph::Graph graph = random_integer_network(seed, Style::Deployable);
    naive += taken_steps(graph, "naive");
    if (has_onednn()) onednn += taken_steps(graph, "onednn");
    EXPECT_EQ(taken_steps(graph, "shy"), 0u);
  }
  EXPECT_GT(naive, 0u);
  EXPECT_TRUE(!has_onednn() || onednn > naive);
}

TEST(Backends, AreAskedInTheOrderGivenAndOnlyForTheStepsChosen) {
  const BackendFolders folders;
  const graph::Graph graph = random_integer_network(4, Style::Deployable);
  const std::vector<uint8_t> bytes = program::write(lower::lower(graph));
  char message[256] = "";
  nibble_program* program = nullptr;
  ASSERT_EQ(nibble_open_memory(bytes.data(), bytes.size(), nullptr, &program, message, sizeof message), NIBBLE_OK);
  std::vector<unsigned char> chosen(nibble_steps(program));
  chosen[0] = 1;
  ASSERT_EQ(nibble_use_backend(program, "reference", chosen.data(), message, sizeof message), NIBBLE_OK);
  ASSERT_EQ(nibble_use_backend(program, "whole", nullptr, message, sizeof message), NIBBLE_OK);
  for (size_t i = 0; i < nibble_steps(program); ++i) {
    nibble_step_info info;
    ASSERT_EQ(nibble_step(program, i, &info), NIBBLE_OK);
    EXPECT_STREQ(info.set, i == 0 ? "reference" : "whole");
  }
  nibble_release(program);
}

}  // namespace
}  // namespace nibble::tests
