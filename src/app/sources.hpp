#pragma once
#include <string_view>

/// Texts of generated applications; words between @ are filled in (generate.cpp).
namespace nibble::app {

inline constexpr std::string_view header_source = R"(// A @TASK@ application, written by 'nibble app generate'.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "processing/image.h"
@INCLUDES@
namespace @PREFIX@ {

@DECLARATION@
class Application {
 public:
  Application();
  ~Application();

  /// Empty where it is ready.
  const std::string& error() const;

@RATE@  /// One thread at a time. @INPUT_IS@ False, and error(), where it fails.
  bool run(@INPUT@, Answer& answer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// As 'nibble app run --json' gives it, every number with all its digits.
std::string to_json(const Answer& answer);

}  // namespace @PREFIX@
)";

inline constexpr std::string_view names_source = R"(
std::string class_name(int64_t index) {
  return index >= 0 && index < named ? class_names[index] : std::to_string(index);
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}
)";

inline constexpr std::string_view code_source = R"(// Written by 'nibble app generate'.
@OWN@

#include <nibble.h>

#include <cmath>
#include <cstdio>
#include <cstring>

extern "C" const unsigned char @PREFIX@_network[];
extern "C" const size_t @PREFIX@_network_bytes;

namespace @PREFIX@ {
namespace {

@CONSTANTS@@NAMES@
[[maybe_unused]] double picture_x(const nibble_placement& at, double x) {
  return at.from.left + (x - at.to.left) * at.from.width / at.to.width;
}
[[maybe_unused]] double picture_y(const nibble_placement& at, double y) {
  return at.from.top + (y - at.to.top) * at.from.height / at.to.height;
}

[[maybe_unused]] std::string number(double value) {
  char text[40];
  if (!std::isfinite(value)) return "null";
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

/// One run of the network.
struct Window {
  double begin = 0, end = 0;  // seconds of a sound
  std::vector<float> input;
  std::vector<std::vector<float>> reals;
};

}  // namespace

struct Application::Impl {
  nibble_program* program = nullptr;
  nibble_context* context = nullptr;
  std::string error;

  Impl() {
    char message[512] = "";
    if (nibble_open_memory(@PREFIX@_network, @PREFIX@_network_bytes, nullptr, &program, message, sizeof message) != NIBBLE_OK)
      error = message;
    else if (nibble_context_create(program, 1, &context) != NIBBLE_OK)
      error = "no memory for the network's arena";
  }
  ~Impl() {
    if (context != nullptr) nibble_context_release(context);
    if (program != nullptr) nibble_release(program);
  }

  size_t inputs() const {
    nibble_port port;
    return nibble_input(program, 0, &port) == NIBBLE_OK ? port.elements : 0;
  }

  template <class Set>
  bool run(const Set& set, Window& window) {
    const nibble_status given = set(context);
    const nibble_status done = given == NIBBLE_OK ? nibble_run(context) : given;
    if (done != NIBBLE_OK) {
      error = done == NIBBLE_BAD_INPUT ? "a number that the network does not take" : "a fault of the network";
      return false;
    }
    for (size_t i = 0; i < nibble_outputs(program); ++i) {
      nibble_port port;
      nibble_output(program, i, &port);
      nibble_get_reals(context, i, window.reals.emplace_back(port.elements).data());
    }
    return true;
  }
};

Application::Application() : impl_(new Impl) {}
Application::~Application() = default;
const std::string& Application::error() const { return impl_->error; }

bool Application::run(@INPUT@, Answer& answer) {
  if (impl_->context == nullptr) return false;
  impl_->error.clear();
  answer = Answer{};
@RUN@  return true;
}

std::string to_json(const Answer& answer) {
  std::string text;
@JSON@  return text;
}

}  // namespace @PREFIX@
)";

inline constexpr std::string_view picture_main_source =
    R"(// @PREFIX@ PICTURE.ppm [X,Y,W,H]: what the application says of a picture (binary PPM or PGM), as JSON.
#include <cstdio>

@OWN@

static bool read_picture(const char* file, std::vector<uint8_t>& pixels, nibble_picture& picture) {
  std::FILE* in = std::fopen(file, "rb");
  char kind = 0;
  int most = 0;
  bool fine = in != nullptr && std::fscanf(in, "P%c %d %d %d", &kind, &picture.width, &picture.height, &most) == 4 &&
              (kind == '5' || kind == '6') && most == 255 && picture.width > 0 && picture.height > 0 &&
              picture.width <= 32768 && picture.height <= 32768 && std::fgetc(in) != EOF;
  if (fine) {
    picture.channels = kind == '6' ? 3 : 1;
    pixels.resize(static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height) * static_cast<size_t>(picture.channels));
    picture.pixels = pixels.data();
    fine = std::fread(pixels.data(), 1, pixels.size(), in) == pixels.size();
  }
  if (in != nullptr) std::fclose(in);
  return fine;
}

int main(int count, char** words) {
  std::vector<uint8_t> pixels;
  nibble_picture picture{};
  nibble_rectangle part{};
  @PREFIX@::Application application;
  @PREFIX@::Answer answer;
  if (count < 2 || count > 3 || !read_picture(words[1], pixels, picture) ||
      (count == 3 && (std::sscanf(words[2], "%d,%d,%d,%d", &part.left, &part.top, &part.width, &part.height) != 4 ||
                      part.width < 1 || part.height < 1 || part.width > 65536 || part.height > 65536))) {
    std::fprintf(stderr, "%s PICTURE.ppm [X,Y,W,H]: no such picture (expected a binary PPM or PGM)\n", words[0]);
    return 2;
  }
  if (!application.error().empty() || !application.run(picture, count == 3 ? &part : nullptr, answer)) {
    std::fprintf(stderr, "%s\n", application.error().c_str());
    return 1;
  }
  std::printf("%s\n", @PREFIX@::to_json(answer).c_str());
}
)";

inline constexpr std::string_view numbers_main_source =
    R"(// @PREFIX@ FILE: what the application says of numbers, separated by white space, as JSON.
#include <cstdio>

@OWN@

int main(int count, char** words) {
  std::FILE* in = count == 2 ? std::fopen(words[1], "r") : nullptr;
  if (in == nullptr) {
    std::fprintf(stderr, "%s FILE: no such file of numbers\n", words[0]);
    return 2;
  }
  std::vector<float> numbers;
  for (float number = 0; std::fscanf(in, "%f", &number) == 1;) numbers.push_back(number);
  std::fclose(in);
  @PREFIX@::Application application;
  @PREFIX@::Answer answer;
  if (!application.error().empty() || !application.run(numbers, answer)) {
    std::fprintf(stderr, "%s\n", application.error().c_str());
    return 1;
  }
  std::printf("%s\n", @PREFIX@::to_json(answer).c_str());
}
)";

inline constexpr std::string_view build_source = R"(cmake_minimum_required(VERSION 3.16)
project(@PREFIX@ C CXX)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_EXTENSIONS OFF)
find_package(nibble REQUIRED COMPONENTS runtime) # CMAKE_PREFIX_PATH: where Nibble is installed
file(GLOB processing ${CMAKE_CURRENT_SOURCE_DIR}/processing/*.c)
add_library(@PREFIX@_application STATIC @PREFIX@.cpp network.c ${processing})
target_include_directories(@PREFIX@_application PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
# A product and a sum are two roundings, on every machine.
target_compile_options(@PREFIX@_application PRIVATE -ffp-contract=off)
target_link_libraries(@PREFIX@_application PUBLIC nibble::runtime_static)
add_executable(@PREFIX@ main.cpp)
target_link_libraries(@PREFIX@ PRIVATE @PREFIX@_application)
)";

}  // namespace nibble::app
