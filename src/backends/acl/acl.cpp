#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "backends/acl/gemm.hpp"
#include "backends/acl/pools.hpp"
#include "runtime/nibble_backend.h"

/// The back end `acl`, Arm Compute Library: convolutions, fully connected layers and pools of bytes.
namespace nibble::backends {
namespace {

/// A step that is prepared.
class Prepared {
 public:
  virtual ~Prepared() = default;
  virtual int run(const nibble_call& call, int32_t* v) = 0;
};

class PreparedGemm : public Prepared {
 public:
  PreparedGemm(const nibble_conv& conv, nibble_backend_prepared& to) : gemm_(conv) {
    to.gives = NIBBLE_BACKEND_SUMS;
    to.scratch = gemm_.scratch();
    to.addend = gemm_.addend();
    std::snprintf(to.kernel, sizeof to.kernel, "%s", gemm_.kernel());
  }
  int run(const nibble_call& call, int32_t* v) override {
    gemm_.run(call.in[0], call.scratch, v);
    return NIBBLE_FINE;
  }

 private:
  Gemm gemm_;
};

Weights weights_within(const nibble_conv& conv) {
  auto weights = weights_of(conv);
  if (!weights) throw Refusal{"weights wider than 8 bits"};
  return std::move(*weights);
}

class PreparedDepthwise : public Prepared {
 public:
  PreparedDepthwise(const nibble_conv& conv, nibble_backend_prepared& to)
      : PreparedDepthwise(conv, weights_within(conv), to) {}
  int run(const nibble_call& call, int32_t* v) override {
    depthwise_.run(call.in[0], call.scratch, v);
    return NIBBLE_FINE;
  }

 private:
  PreparedDepthwise(const nibble_conv& conv, const Weights& weights, nibble_backend_prepared& to)
      : depthwise_(planes_of(conv), weights) {
    // A folded bias is less by zero_point * sum w; the sums are of x - zero_point.
    for (int64_t out = 0; out < weights.outs; ++out) {
      int64_t sum = conv.bias == nullptr ? 0 : static_cast<const int32_t*>(conv.bias)[out];
      for (int64_t tap = 0; tap < weights.taps && conv.w_format != NIBBLE_PLAIN; ++tap)
        sum += conv.zero_point * weights.sum(out, tap);
      addend_.push_back(static_cast<int32_t>(static_cast<uint32_t>(sum)));
    }
    to.gives = NIBBLE_BACKEND_SUMS;
    to.scratch = depthwise_.scratch();
    to.addend = addend_.data();
    std::snprintf(to.kernel, sizeof to.kernel, "depthwise of floats");
  }

  Depthwise depthwise_;
  std::vector<int32_t> addend_;
};

class PreparedMaximum : public Prepared {
 public:
  PreparedMaximum(const nibble_pool& pool, nibble_backend_prepared& to) : maximum_(pool) {
    to.gives = NIBBLE_BACKEND_OUTPUT;
    std::snprintf(to.kernel, sizeof to.kernel, "maximum");
  }
  int run(const nibble_call& call, int32_t*) override {
    maximum_.run(call.in[0], call.out);
    return NIBBLE_FINE;
  }

 private:
  Maximum maximum_;
};

class PreparedSum : public Prepared {
 public:
  PreparedSum(const nibble_pool& pool, nibble_backend_prepared& to)
      : PreparedSum(planes_of(pool), pool.stage, true, pool.y_type,
                    {pool.y_stride[0], pool.y_stride[2], pool.y_stride[3], 1}, to) {}
  PreparedSum(const nibble_reduce& reduce, nibble_backend_prepared& to)
      : PreparedSum(planes_of(reduce), reduce.stage, reduce.channel_axis == reduce.rank - 1, reduce.y_type,
                    {reduce.rank > 1 ? reduce.y_stride[0] : 0, 0, 0, reduce.y_stride[reduce.rank - 1]}, to) {}
  int run(const nibble_call& call, int32_t*) override { return sum_.run(call.in[0], call.scratch, call.out); }

 private:
  PreparedSum(const Planes& planes, const nibble_stage& stage, bool stage_of_channels, int32_t y_type,
              std::initializer_list<int64_t> y_stride, nibble_backend_prepared& to)
      : sum_(planes, stage, stage_of_channels, y_type, y_stride.begin()) {
    to.gives = NIBBLE_BACKEND_OUTPUT;
    to.scratch = sum_.scratch();
    std::snprintf(to.kernel, sizeof to.kernel, "sums of floats");
  }

  Sum sum_;
};

const char* refusal_of(const nibble_conv& conv) {
  return conv.groups > 1 ? Depthwise::refusal(planes_of(conv)) : Gemm::refusal(conv);
}

const char* refusal_of(const nibble_pool& pool) {
  return pool.op == 0 ? Maximum::refusal(pool) : Depthwise::refusal(planes_of(pool));
}

const char* refusal_of(const nibble_reduce& reduce) {
  const bool stage = reduce.stage.channels <= 1 || reduce.channel_axis == reduce.rank - 1;
  return stage ? Depthwise::refusal(planes_of(reduce)) : "a requantisation along another axis than the channels'";
}

const char* refusal_of(const nibble_backend_step& step) {
  switch (step.kind) {
    case NIBBLE_KIND_CONV: return refusal_of(*static_cast<const nibble_conv*>(step.parameters));
    case NIBBLE_KIND_POOL: return refusal_of(*static_cast<const nibble_pool*>(step.parameters));
    case NIBBLE_KIND_REDUCE: return refusal_of(*static_cast<const nibble_reduce*>(step.parameters));
    case NIBBLE_KIND_POINTWISE: return "the library adds bytes through floats of its own scales";
    default: return "neither a convolution, a fully connected layer nor a pool";
  }
}

std::unique_ptr<Prepared> prepared_of(const nibble_backend_step& step, nibble_backend_prepared& to) {
  switch (step.kind) {
    case NIBBLE_KIND_CONV: {
      const auto& conv = *static_cast<const nibble_conv*>(step.parameters);
      if (conv.groups > 1) return std::make_unique<PreparedDepthwise>(conv, to);
      return std::make_unique<PreparedGemm>(conv, to);
    }
    case NIBBLE_KIND_POOL: {
      const auto& pool = *static_cast<const nibble_pool*>(step.parameters);
      if (pool.op == 0) return std::make_unique<PreparedMaximum>(pool, to);
      return std::make_unique<PreparedSum>(pool, to);
    }
    default: return std::make_unique<PreparedSum>(*static_cast<const nibble_reduce*>(step.parameters), to);
  }
}

int takes(const nibble_backend_step* step, char* why, size_t size) {
  const char* refusal = refusal_of(*step);
  std::snprintf(why, size, "%s", refusal);
  return *refusal == 0;
}

int prepare(const nibble_backend_step* step, nibble_backend_prepared* prepared, char* why, size_t size) {
  try {
    prepared->handle = prepared_of(*step, *prepared).release();
    return 1;
  } catch (const Refusal& refusal) {
    std::snprintf(why, size, "%s", refusal.why);
  } catch (const std::exception& error) {
    std::snprintf(why, size, "%s", error.what());
  }
  return 0;
}

/// What the library cannot do was found when it was prepared; memory may still end.
int run(void* handle, const nibble_call* call, int32_t* v) {
  try {
    return static_cast<Prepared*>(handle)->run(*call, v);
  } catch (const std::exception&) {
    return NIBBLE_BACKEND_NO_MEMORY;
  }
}

void release(void* handle) {
  delete static_cast<Prepared*>(handle);
}

constexpr nibble_backend backend = {NIBBLE_BACKEND_VERSION, NIBBLE_BACKEND_LAYOUT, "acl", takes, prepare, run, release};

}  // namespace
}  // namespace nibble::backends

extern "C" __attribute__((visibility("default"))) const nibble_backend* nibble_backend_entry() {
  return &nibble::backends::backend;
}
