#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/random.hpp"
#include "base/tensor.hpp"
#include "data/sound.hpp"

namespace nibble::data {

struct LandmarkModel;

/// One example as stored: an image [H, W, C] of UInt8 (RGB or gray), a sound Float32 [samples], or features
/// Float32 [...]; its class, or a target.
struct Sample {
  Tensor x;
  int64_t label = -1;            ///< -1 where the set has no labels
  std::optional<Tensor> target;  ///< regression: [...]
  std::vector<Tensor> others{};  ///< what the network's further inputs read, like x
  int64_t group = -1;            ///< examples that belong together (a person's), 0 or more; -1 where nothing says so
  int64_t rate = 0;              ///< of a sound, samples a second; else 0
};

/// Random access to examples; `sample` may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// Number of classes, 0 where there are no labels.
  virtual int64_t classes() const = 0;
  /// Of a network, that an example has: x and the others.
  virtual size_t inputs() const { return 1; }
  /// Where the targets are landmarks [L, 2]: how they follow from a network's outputs (data/landmarks.hpp); else null.
  virtual std::shared_ptr<const LandmarkModel> landmarks() const { return {}; }
  /// index in [0, size).
  virtual Sample sample(int64_t index) const = 0;
};

/// Opens `SET:PATH[:SPLIT]` (COMMANDS.md), by the rows of open_dataset.cpp. `inputs` are the names of the network's: an
/// npz has an array of each (of one input: its name, x, or any but y), every other set x alone. Throws UserError
/// "data: ..." on anything missing, truncated, inconsistent or empty.
std::unique_ptr<Dataset> open_dataset(std::string_view description, const std::vector<std::string>& inputs = {"x"});
/// How a description is written, of every set: "mnist:DIR:train|test, ...".
std::string dataset_forms();

/// The first `count` examples of a set (all when count < 0 or more than there are), or those listed.
std::unique_ptr<Dataset> subset(std::shared_ptr<const Dataset> set, std::vector<int64_t> indices);

/// What is done to an image before the network sees it (COMMANDS.md), in this order: resize, crop, channels, then each
/// value = (pixel * scale - mean) / std; NCHW unless its layout says NHWC.
///
/// resize is bilinear with half-pixel centres, held at the borders, without antialiasing: a large reduction skips
/// pixels. A gray image gives its one plane to all three channels of RGB or BGR; RGB to gray is
/// 0.299 R + 0.587 G + 0.114 B. A sound becomes features by "sound" (sound.hpp), which stands in place of what is
/// done to an image. With "target": "input" an example's target is what the network reads, its label none: so learns an
/// autoencoder.
struct Preprocess {
  std::optional<std::pair<int64_t, int64_t>> resize;  ///< H, W
  std::optional<std::pair<int64_t, int64_t>> crop;    ///< H, W; centre, rounded to the top left
  std::string channels = "RGB";                       ///< RGB, BGR or gray
  double scale = 1.0 / 255;
  std::vector<double> mean, standard_deviation;  ///< per channel, or empty (0 and 1)
  std::optional<SoundInput> sound{};
  bool target_is_input = false;
  bool channels_last = false;  ///< "layout": "NHWC", as TensorFlow's networks take images
};
/// Throws UserError naming the key.
Preprocess preprocess_from_json(const Json& json, std::string_view place);
Json to_json(const Preprocess& preprocess);

/// The sample as the network's input without the batch axis: an image [H,W,C] UInt8 becomes Float32 [C,H,W] (or [H,W,C]), a sound (of
/// a rate that is not 0) features; features pass unchanged. Computed in double, rounded once to float.
Tensor apply(const Preprocess& preprocess, const Tensor& x, int64_t rate = 0);

struct Batch {
  Tensor x;                      ///< Float32 [B, ...]
  std::vector<int64_t> labels;   ///< B, or empty
  std::optional<Tensor> target;  ///< Float32 [B, ...]
  std::vector<Tensor> others;    ///< Float32 [B, ...] each: further inputs
  std::vector<int64_t> groups;   ///< B, or empty

  /// x and the others.
  std::vector<Tensor> inputs() const;
};

/// Changes a preprocessed example for training; `random` is the example's own stream, so the result does not depend on
/// threads or order.
using Augmentation = std::function<void(Tensor& x, Random& random)>;
/// [{"crop": {"padding": 4}}, {"flip": "horizontal"}] ...; throws UserError naming the key. crop shifts the image by up
/// to `padding` (0 to 1024) pixels each way, every shift alike; what enters is 0 after preprocessing, which is the
/// mean, not black. flip mirrors every second image on average. Both throw UserError on features.
Augmentation augmentation_from_json(const Json& json, std::string_view place);

/// Batches of a set in a given order, prepared by `threads` threads ahead of the reader; what it yields depends on the
/// set, the order and `random` only. The last batch may be smaller.
class Loader {
 public:
  Loader(std::shared_ptr<const Dataset> set, Preprocess preprocess, std::vector<int64_t> order, int64_t batch_size,
         int threads = 2, Augmentation augmentation = {}, Random random = Random(0));
  ~Loader();
  /// The next batch, or nothing at the end. An error in a preparing thread is thrown here.
  std::optional<Batch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 0, 1, ..., count - 1.
std::vector<int64_t> in_order(int64_t count);

}  // namespace nibble::data
