#pragma once
#include <nibble.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// nibble.h for C++20: what owns is released, spans carry their sizes. Nothing here throws but what std::vector and
/// std::string do; errors are values, as in C. Of the functions that are not here, data() of both classes is for.
namespace nibble::runtime {

/// An input or output (nibble_port).
struct Port {
  nibble_port port{};

  std::string_view name() const { return port.name; }
  std::span<const int64_t> shape() const { return {port.shape, static_cast<size_t>(port.rank)}; }
  std::span<const double> scale() const { return {port.scale, port.scales}; }
  /// Whether T is the type of its elements.
  template <class T>
  bool holds() const {
    constexpr int type = std::is_same_v<T, int8_t>     ? 1
                         : std::is_same_v<T, uint8_t>  ? 2
                         : std::is_same_v<T, int16_t>  ? 3
                         : std::is_same_v<T, uint16_t> ? 4
                         : std::is_same_v<T, int32_t>  ? 5
                         : std::is_same_v<T, int64_t>  ? 6
                         : std::is_same_v<T, double>   ? 7
                                                       : 0;
    static_assert(type != 0, "an element is int8 to int64, uint8, uint16 or double");
    return port.type == type;
  }
};

/// A program in one thread at a time: its arena and threads. Ends before its Program does.
class Context {
 public:
  Context() = default;
  Context(const nibble_program* program, int threads) : program_(program) {
    nibble_context* context = nullptr;
    status_ = nibble_context_create(program, threads, &context);
    context_.reset(context);
  }

  explicit operator bool() const { return context_ != nullptr; }
  nibble_status status() const { return status_; }
  nibble_context* data() const { return context_.get(); }

  /// NIBBLE_BAD_ARGUMENT unless the span has the input's elements and their type.
  template <class T>
  nibble_status set(size_t index, std::span<const T> integers) {
    Port input;
    if (!context_ || nibble_input(program_, index, &input.port) != NIBBLE_OK || !input.holds<T>() ||
        integers.size() != input.port.elements)
      return NIBBLE_BAD_ARGUMENT;
    return nibble_set(context_.get(), index, integers.data());
  }
  nibble_status set_reals(size_t index, std::span<const float> reals) {
    Port input;
    if (!context_ || nibble_input(program_, index, &input.port) != NIBBLE_OK || reals.size() != input.port.elements)
      return NIBBLE_BAD_ARGUMENT;
    return nibble_set_reals(context_.get(), index, reals.data());
  }
  nibble_status run() { return context_ ? nibble_run(context_.get()) : NIBBLE_BAD_ARGUMENT; }
  template <class T>
  nibble_status get(size_t index, std::span<T> integers) const {
    Port output;
    if (!context_ || nibble_output(program_, index, &output.port) != NIBBLE_OK || !output.holds<T>() ||
        integers.size() != output.port.elements)
      return NIBBLE_BAD_ARGUMENT;
    return nibble_get(context_.get(), index, integers.data());
  }
  nibble_status get_reals(size_t index, std::span<float> reals) const {
    Port output;
    if (!context_ || nibble_output(program_, index, &output.port) != NIBBLE_OK || reals.size() != output.port.elements)
      return NIBBLE_BAD_ARGUMENT;
    return nibble_get_reals(context_.get(), index, reals.data());
  }

 private:
  struct Release {
    void operator()(nibble_context* context) const { nibble_context_release(context); }
  };
  const nibble_program* program_ = nullptr;
  std::unique_ptr<nibble_context, Release> context_;
  nibble_status status_ = NIBBLE_BAD_ARGUMENT;
};

/// A loaded program, or why there is none.
class Program {
 public:
  /// `kernels`: a set's name, or nullptr (nibble_open).
  explicit Program(const std::string& path, const char* kernels = nullptr) {
    char message[256] = "";
    nibble_program* program = nullptr;
    status_ = nibble_open(path.c_str(), kernels, &program, message, sizeof message);
    take(program, message);
  }
  /// The bytes are copied.
  explicit Program(std::span<const std::byte> bytes, const char* kernels = nullptr) {
    char message[256] = "";
    nibble_program* program = nullptr;
    status_ = nibble_open_memory(bytes.data(), bytes.size(), kernels, &program, message, sizeof message);
    take(program, message);
  }

  explicit operator bool() const { return program_ != nullptr; }
  nibble_status status() const { return status_; }
  const std::string& message() const { return message_; }
  const nibble_program* data() const { return program_.get(); }

  // Of a program that is there.
  std::string_view name() const { return nibble_program_name(data()); }
  std::vector<Port> inputs() const {
    std::vector<Port> ports(nibble_inputs(data()));
    for (size_t i = 0; i < ports.size(); ++i) nibble_input(data(), i, &ports[i].port);
    return ports;
  }
  std::vector<Port> outputs() const {
    std::vector<Port> ports(nibble_outputs(data()));
    for (size_t i = 0; i < ports.size(); ++i) nibble_output(data(), i, &ports[i].port);
    return ports;
  }
  Context context(int threads = 1) const { return program_ ? Context(data(), threads) : Context(); }

 private:
  void take(nibble_program* program, const char* message) {
    program_.reset(program);
    message_ = message;
  }
  struct Release {
    void operator()(nibble_program* program) const { nibble_release(program); }
  };
  std::unique_ptr<nibble_program, Release> program_;
  nibble_status status_;
  std::string message_;
};

}  // namespace nibble::runtime
