#include <cstdio>
#include <exception>

#include "backends/onednn/convolution.hpp"
#include "runtime/nibble_backend.h"

/// The back end `onednn`: convolutions and fully connected layers of 8 bits.
namespace nibble::backends {
namespace {

void say(char* why, size_t size, const std::string& reason) {
  std::snprintf(why, size, "%s", reason.c_str());
}

int takes(const nibble_backend_step* step, char* why, size_t size) {
  const std::string refusal = step->kind == NIBBLE_KIND_CONV
                                  ? Convolution::refusal(*static_cast<const nibble_conv*>(step->parameters))
                                  : "neither a convolution nor a fully connected layer";
  if (refusal.empty()) return 1;
  say(why, size, refusal);
  return 0;
}

int prepare(const nibble_backend_step* step, nibble_backend_prepared* prepared, char* why, size_t size) {
  try {
    auto convolution = std::make_unique<Convolution>(*static_cast<const nibble_conv*>(step->parameters));
    prepared->gives = NIBBLE_BACKEND_SUMS;
    prepared->grain = convolution->grain();
    prepared->scratch = convolution->scratch();
    prepared->addend = convolution->addend();
    say(prepared->kernel, sizeof prepared->kernel, convolution->kernel());
    prepared->handle = convolution.release();
    return 1;
  } catch (const Refusal& refusal) {
    say(why, size, refusal.why);
  } catch (const std::exception& error) {
    say(why, size, error.what());
  }
  return 0;
}

/// What oneDNN cannot do was found when it was prepared; memory may still end.
int run(void* handle, const nibble_call* call, int32_t* v) {
  try {
    static_cast<const Convolution*>(handle)->run(call->in[0], call->begin, call->scratch, v);
    return NIBBLE_FINE;
  } catch (const std::exception&) {
    return NIBBLE_BACKEND_NO_MEMORY;
  }
}

void release(void* handle) {
  delete static_cast<Convolution*>(handle);
}

constexpr nibble_backend backend = {
    NIBBLE_BACKEND_VERSION, NIBBLE_BACKEND_LAYOUT, "onednn", takes, prepare, run, release};

}  // namespace
}  // namespace nibble::backends

extern "C" __attribute__((visibility("default"))) const nibble_backend* nibble_backend_entry() {
  return &nibble::backends::backend;
}
