#pragma once
#include <filesystem>
#include <string>

#include "train/loop/event_file.hpp"
#include "train/loop/metrics.hpp"
#include "train/network/network.hpp"

namespace nibble::train {

/// What a run's folder tells of its epochs beside metrics.csv:
///
///     quantisers.csv  epoch, quantiser, on (0 or 1), the least and greatest of its scales, its range over all
///                     channels, and the shares of what it reads that lie below and above its range
///     tensorboard/    events of every epoch: what metrics.csv and quantisers.csv say, and histograms where asked
///
/// An epoch is written before the checkpoint that ends it: what a checkpoint does not know is cut on resume.
class Journal {
 public:
  /// The network must outlive it.
  Journal(const Network& network, std::filesystem::path folder, bool histograms);
  /// Forgets all after so many epochs, as a run does before its first step.
  void go_on_after(int64_t epochs);
  /// x: some examples, of which shares and histograms are taken. Throws UserError where the disk refuses.
  void write(const EpochReport& report, const at::Tensor& x);

 private:
  std::filesystem::path csv() const { return folder_ / "quantisers.csv"; }

  const Network& network_;
  std::filesystem::path folder_;
  bool histograms_;
  EventFile events_;
  std::string lines_;  ///< of quantisers.csv
};

}  // namespace nibble::train
