#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

/// TensorBoard's event files: records framed as TFRecord (length, its masked CRC-32C, bytes, theirs), each a protobuf
/// Event. Sources: tensorflow.org/tutorials/load_data/tfrecord; event.proto and summary.proto of TensorBoard.
namespace nibble::train {

/// What one event says: a protobuf Summary.
class Summary {
 public:
  void scalar(std::string_view tag, double value);
  /// In 64 bins of one width between the least and the greatest of the finite values; none for none.
  void histogram(std::string_view tag, std::span<const float> values);
  const std::string& bytes() const { return bytes_; }

 private:
  void value(std::string_view tag, std::string_view field);
  std::string bytes_;
};

/// A new event file of `folder`, which is made where it is missing; the file appears with the first event.
class EventFile {
 public:
  explicit EventFile(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// Appends and flushes. Throws UserError where the disk refuses.
  void append(int64_t step, const Summary& summary);

 private:
  std::filesystem::path folder_, file_;
};

/// Cuts this writer's files in `folder` before their first event of a later step, or where a kill tore them; a file
/// without events goes. A folder that is not there is none.
void forget_events_after(const std::filesystem::path& folder, int64_t step);

}  // namespace nibble::train
