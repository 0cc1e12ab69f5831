#pragma once
#include <cstdint>
#include <string>

namespace nibble::data {

/// What a set knows of its examples without decoding them: sets whose examples are files have it.
class Catalogue {
 public:
  virtual ~Catalogue() = default;
  virtual int64_t label_of(int64_t index) const = 0;
  /// The example as it is stored.
  virtual std::string stored(int64_t index) const = 0;
};

}  // namespace nibble::data
