#include "lab/study/recorded.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/hash.hpp"

namespace nibble::lab {

namespace fs = std::filesystem;

void record_predictions(const std::vector<Row>& rows, const fs::path& folder) {
  Json predictions = Json::object();
  for (const Row& row : rows) {
    if (!row.groups.empty()) predictions["groups"] = row.groups;
    if (row.is_error()) {
      predictions[row.representation] = row.errors;
      continue;
    }
    std::string digits;
    for (bool right : row.right) digits += right ? '1' : '0';
    predictions[row.representation] = digits;
    predictions["classes"][row.representation] = row.decisions;
    predictions["labels"] = row.labels;
  }
  write_file(folder / "predictions.json", predictions.dump() + "\n", "lab");
}

void record_latency(const std::vector<Row>& rows, const fs::path& folder) {
  for (const Row& row : rows)
    if (row.latency > 0)
      write_file(folder / "latency.json", Json{{"seconds", row.latency}, {"threads", 1}}.dump() + "\n", "lab");
}

Json artefacts_json(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() &&
        (entry.path().extension() == ".onnx" || entry.path().filename() == "certificate.json"))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  Json list = Json::array();
  for (const fs::path& file : files) {
    const std::string bytes = read_file(file, "lab");
    list.push_back({{"file", file.lexically_relative(folder).string()},
                    {"bytes", bytes.size()},
                    {"hash", fmt::format("{:016x}", fnv1a(bytes))}});
  }
  return list;
}

Json versions_json(const train::Api& api) {
  return {{"nibble", NIBBLE_VERSION}, {"libtorch", api.torch_version()}};
}

}  // namespace nibble::lab
