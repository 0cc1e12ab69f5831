/// ONNX Runtime on a network of one float input and one output, through its C interface: npm's package for Node.js holds
/// the library, and a call from Node.js would cost a small network more than the network does.
/// Usage: onnxruntime LIBRARY MODEL.onnx THREADS INPUT OUTPUT EXTENT...    (extents of the input)
#include <dlfcn.h>

#include <random>
#include <stdexcept>

#include "serve.hpp"

namespace {

/// The functions that are called here, by their places in OrtApi. Versions of that struct only ever append
/// (https://onnxruntime.ai/docs/api/c/struct_ort_api.html), and npm's package has no header.
class Api {
 public:
  explicit Api(const char* library) {
    void* handle = dlopen(library, RTLD_NOW);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    using GetBase = const Base* (*)();
    const Base* base = reinterpret_cast<GetBase>(dlsym(handle, "OrtGetApiBase"))();
    functions_ = base->get_api(14);
    version = base->get_version();
  }
  template <class... Values>
  void operator()(int place, Values... values) const {
    using Function = void* (*)(Values...);
    if (void* status = reinterpret_cast<Function>(functions_[place])(values...)) {
      using Message = const char* (*)(void*);
      throw std::runtime_error(reinterpret_cast<Message>(functions_[get_error_message])(status));
    }
  }
  enum Place {
    get_error_message = 2,
    create_env = 3,
    create_session = 7,
    run = 9,
    create_session_options = 10,
    set_intra_op_threads = 24,
    create_tensor_with_data = 49,
    create_cpu_memory_info = 69,
  };
  std::string version;

 private:
  struct Base {
    void* const* (*get_api)(uint32_t version);
    const char* (*get_version)();
  };
  void* const* functions_;
};

constexpr int warning = 2, float32 = 1, arena_allocator = 1, default_memory = 0;

void measure(const char* library, const char* model, int threads, const char* input, const char* output,
             const std::vector<int64_t>& shape) {
  const Api api(library);
  void *env = nullptr, *options = nullptr, *session = nullptr, *memory = nullptr, *x = nullptr;
  api(Api::create_env, warning, "speed", &env);
  api(Api::create_session_options, &options);
  api(Api::set_intra_op_threads, options, threads);
  api(Api::create_session, env, model, options, &session);
  size_t elements = 1;
  for (int64_t extent : shape) elements *= static_cast<size_t>(extent);
  std::vector<float> values(elements);
  std::mt19937 draw(1);
  for (float& value : values) value = std::normal_distribution<float>()(draw);
  api(Api::create_cpu_memory_info, arena_allocator, default_memory, &memory);
  api(Api::create_tensor_with_data, memory, static_cast<void*>(values.data()), elements * sizeof(float), shape.data(),
      shape.size(), float32, &x);
  void* y = nullptr;  // made by the first run, written again by the others
  serve("ONNX Runtime " + api.version,
        [&] { api(Api::run, session, nullptr, &input, &x, size_t{1}, &output, size_t{1}, &y); });
}

}  // namespace

int main(int count, char** arguments) {
  return reported("onnxruntime", [&] {
    if (count < 7) throw std::runtime_error("usage: onnxruntime LIBRARY MODEL.onnx THREADS INPUT OUTPUT EXTENT...");
    std::vector<int64_t> shape;
    for (int i = 6; i < count; ++i) shape.push_back(std::stoll(arguments[i]));
    measure(arguments[1], arguments[2], std::stoi(arguments[3]), arguments[4], arguments[5], shape);
  });
}
