#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "app/description.hpp"
#include "app/server/form.hpp"
#include "app/server/head.hpp"
#include "base/error.hpp"
#include "data/formats/inflate.hpp"
#include "data/formats/text_golden.hpp"
#include "data/formats/wav.hpp"
#include "data/npy.hpp"
#include "data/npz.hpp"
#include "data/sources.hpp"
#include "graph/text.hpp"
#include "lab/experiment.hpp"
#include "mutate_model.hpp"
#include "read_model.hpp"
#include "read_program.hpp"

/// One row a reader of users' files: any bytes give a UserError or something whole. What else is thrown ends the
/// process, and so does what the sanitizers see.
namespace nibble::fuzz {
namespace {

struct Reader {
  const char* name;
  void (*read)(std::string_view bytes);
  bool model = false;  ///< of ONNX: changed field by field
};

Json json_of(std::string_view bytes) {
  return parse_json(bytes, "fuzz", "fuzz");
}

/// Images, labels, or either packed.
void read_idx(std::string_view bytes) {
  constexpr size_t most = 1 << 16;
  std::string whole(bytes);
  if (bytes.starts_with("\x1f\x8b")) whole = data::inflate_bytes(bytes, data::Wrapping::Gzip, most, "fuzz");
  const bool images = whole.size() > 3 && whole[3] == 3;
  data::parse_idx(std::move(whole), images ? 3 : 1, "fuzz");
}

/// With all that it holds: recipe, preprocessing, augmentation, policies.
void read_experiment(std::string_view bytes) {
  const lab::Experiment experiment = lab::experiment_from_json(json_of(bytes), "folder/fuzz.json");
  data::augmentation_from_json(experiment.recipe.augmentation, "fuzz");
  for (const auto& variant : experiment.variants) variant.policy.of("conv1");
}

void read_policy(std::string_view bytes) {
  const passes::Policy policy = passes::policy_from_json(json_of(bytes), "fuzz");
  for (const char* node : {"conv1", "", "block2/add"}) policy.of(node);
}

void read_bundle(std::string_view bytes) {
  app::describe(app::parse_bundle(bytes, "fuzz"), "fuzz");
}

/// What a description says, without the hashes that a changed bundle seldom has.
void read_application(std::string_view bytes) {
  app::describe({{"app.json", std::string(bytes)}, {"names.txt", "a\nb"}, {"a.png", ""}}, "fuzz");
}

/// A head and the form behind it, as `app serve` hears them.
void read_request(std::string_view bytes) {
  const size_t end = app::head_end(bytes);
  if (end == 0) return;
  const app::Head head = app::parse_head(bytes.substr(0, end));
  app::check_route(head, {{"/", "GET, POST"}});
  app::file_of_form(bytes.substr(end), head.boundary);
}

// clang-format off
constexpr Reader readers[] = {
    {"model", [](std::string_view bytes) { read_model(bytes, ""); }, true},
    {"native", [](std::string_view bytes) { read_model(bytes, "native"); }, true},
    {"quantlab", [](std::string_view bytes) { read_model(bytes, "quantlab"); }, true},
    {"nemo", [](std::string_view bytes) { read_model(bytes, "nemo"); }, true},
    {"deeploy", [](std::string_view bytes) { read_model(bytes, "deeploy"); }, true},
    {"qdq", [](std::string_view bytes) { read_model(bytes, "qdq"); }, true},
    {"qoperator", [](std::string_view bytes) { read_model(bytes, "qoperator"); }, true},
    {"npy", [](std::string_view bytes) { data::parse_npy(bytes, "fuzz"); }},
    {"npz", [](std::string_view bytes) { data::dataset_of(data::parse_npz(bytes, "fuzz"), "fuzz"); }},
    {"image", [](std::string_view bytes) { data::parse_image(bytes, "fuzz"); }},
    {"wav", [](std::string_view bytes) { data::parse_wav(bytes, "fuzz"); }},
    {"idx", read_idx},
    {"cifar10", [](std::string_view bytes) { data::StoredImages images; data::append_cifar10(images, bytes, "fuzz"); }},
    {"labels", [](std::string_view bytes) { data::parse_labels(bytes, "fuzz"); }},
    {"experiment", read_experiment},
    {"preprocess", [](std::string_view bytes) { data::preprocess_from_json(json_of(bytes), "fuzz"); }},
    {"policy", read_policy},
    {"text_golden", [](std::string_view bytes) { data::parse_text_golden(bytes, "fuzz"); }},
    {"graph_text", [](std::string_view bytes) { graph::from_text(bytes); }},
    {"program", read_program},
    {"bundle", read_bundle},
    {"application", read_application},
    {"request", read_request},
};
// clang-format on

const Reader* chosen() {
  const char* const name = std::getenv("NIBBLE_READER");
  for (const Reader& reader : readers)
    if (name != nullptr && std::strcmp(name, reader.name) == 0) return &reader;
  std::fprintf(stderr, "NIBBLE_READER is one of:");
  for (const Reader& reader : readers) std::fprintf(stderr, " %s", reader.name);
  std::fprintf(stderr, "\n");
  std::exit(2);
}

/// The reader of this process, by NIBBLE_READER.
const Reader& reader() {
  static const Reader* const found = chosen();
  return *found;
}

std::string_view view(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace
}  // namespace nibble::fuzz

// libFuzzer's own names: https://llvm.org/docs/LibFuzzer.html
extern "C" {

size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t room);

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t room, unsigned seed) {
  if (nibble::fuzz::reader().model) return nibble::fuzz::mutate_model(data, size, room, seed);
  return LLVMFuzzerMutate(data, size, room);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t* first, size_t first_size, const uint8_t* second, size_t second_size,
                                 uint8_t* out, size_t room, unsigned seed) {
  using nibble::fuzz::view;
  if (!nibble::fuzz::reader().model) return 0;
  return nibble::fuzz::cross_models(view(first, first_size), view(second, second_size), out, room, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    nibble::fuzz::reader().read(nibble::fuzz::view(data, size));
  } catch (const nibble::UserError&) {
  }
  return 0;
}
}
