#include "base/error.hpp"
#include "equal/lab/backend_modules.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "lab/runtime_engine.hpp"
#include "lower/lower.hpp"

namespace nibble::tests {
namespace {

std::vector<uint8_t> network_bytes() {
  return program::write(lower::lower(random_integer_network(2, Style::Deployable)));
}

/// What is said of a back end of this name.
std::string error_of(const std::string& name) {
  lab::RuntimeOptions options;
  options.backends = {name};
  try {
    const lab::LoadedProgram loaded(network_bytes(), options);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

struct Fault {
  const char *library, *message;
};

TEST(Backends, ThatAreNoneAreRefusedWithAReason) {
  const BackendFolders folders;
  const std::string expected = " (expected a library NAME.so of NIBBLE_BACKENDS, or a path with a slash)";
  for (const Fault& fault : {Fault{"nothing", "it hands out no back end"},
                             {"other_version", "it is for another version of nibble_backend.h"},
                             {"other_structs", "it was built with other structs of kernels.h"},
                             {"nameless", "it has no name"},
                             {"without_run", "it lacks a function"},
                             {"no_entry", "it exports no nibble_backend_entry"}}) {
    const std::string file = (test_backends() / (std::string(fault.library) + ".so")).string();
    EXPECT_EQ(error_of(fault.library),
              std::string("runtime: back end '") + fault.library + "': " + file + ": " + fault.message + expected);
  }
  EXPECT_NE(error_of("no_library").find("it cannot be loaded: "), std::string::npos) << error_of("no_library");
  EXPECT_NE(error_of("/nowhere/x.so").find("it cannot be loaded: /nowhere/x.so"), std::string::npos);
}

TEST(Backends, ThatAreNotThereAreToldFromThoseThatAre) {
  const BackendFolders folders(test_backends().string());
  const std::string message = error_of("nave");
  EXPECT_EQ(message.find("runtime: back end 'nave': no library of this name (there are "), 0u) << message;
  EXPECT_NE(message.find("naive"), std::string::npos);
  const BackendFolders none("/nowhere");
  EXPECT_EQ(error_of("naive"),
            "runtime: back end 'naive': no library of this name (there is none) (expected a library NAME.so of "
            "NIBBLE_BACKENDS, or a path with a slash)");
}

/// Why a back end did not take the steps, or "taken".
std::string why_not(const std::string& name) {
  lab::RuntimeOptions options;
  options.backends = {name};
  const lab::LoadedProgram loaded(network_bytes(), options);
  std::string why;
  for (size_t i = 0; i < nibble_steps(loaded.program()); ++i) {
    nibble_step_info info;
    EXPECT_EQ(nibble_step(loaded.program(), i, &info), NIBBLE_OK);
    const std::string own = *info.why == 0 ? "taken" : info.why;
    if (why.find(own) == std::string::npos) why += (why.empty() ? "" : "; ") + own;
  }
  return why;
}

TEST(Backends, GetNoStepThatTheyCannotRun) {
  const BackendFolders folders;
  EXPECT_EQ(why_not("shy"), "shy: no reason given");
  EXPECT_EQ(why_not("undecided"), "undecided: it gives neither sums nor the output");
  EXPECT_EQ(why_not("backwards"), "backwards: it asks for more memory than there is");
  EXPECT_EQ(why_not("greedy"), "greedy: it asks for more memory than there is");
  EXPECT_NE(why_not("sums").find("sums: sums of 32 bits, where the step has none"), std::string::npos);
  EXPECT_EQ(why_not("wordy").substr(0, 20), "wordy: wwwwwwwwwwwww");
}

TEST(Backends, ThatEndWithoutMemoryEndTheRunAlone) {
  const BackendFolders folders;
  const std::vector<uint8_t> bytes = network_bytes();
  nibble_program* program = nullptr;
  ASSERT_EQ(nibble_open_memory(bytes.data(), bytes.size(), nullptr, &program, nullptr, 0), NIBBLE_OK);
  nibble_context *before = nullptr, *after = nullptr;
  ASSERT_EQ(nibble_context_create(program, 1, &before), NIBBLE_OK);
  ASSERT_EQ(nibble_use_backend(program, "failing", nullptr, nullptr, 0), NIBBLE_OK);
  ASSERT_EQ(nibble_context_create(program, 1, &after), NIBBLE_OK);
  EXPECT_EQ(nibble_run(after), NIBBLE_NO_MEMORY);
  EXPECT_EQ(nibble_run(before), NIBBLE_BAD_ARGUMENT) << "a context has no room for a back end that came later";
  nibble_context_release(before);
  nibble_context_release(after);
  nibble_release(program);
}

}  // namespace
}  // namespace nibble::tests
