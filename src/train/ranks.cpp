#include "train/ranks.hpp"

#include <fmt/format.h>

#include <chrono>
#include <set>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/error.hpp"

/// Ranks by libtorch's c10d: rank 0 has a store of keys, where trainings and their ends are called out, and each training
/// has a process group of its own, so that one which ends early leaves nothing behind.
///
///     training/K    rank 0 has begun the K-th
///     here/K/R      rank R takes part
///     group/K/...   where its ranks find each other (Gloo's)
///     left/K/R      rank R is out of it: why, or empty where another one was the cause
namespace nibble::train {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds between_looks(20);
/// For every rank to come; for one to say why it left, on a machine that nobody here can look at.
constexpr seconds to_come(600), to_answer(60);
/// A rank that neither answers nor closes its connections: its machine is gone.
constexpr std::chrono::minutes silence(30);

std::vector<uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

/// Without what libtorch says of its own insides.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

c10::intrusive_ptr<c10d::TCPStore> connect(const RankPlace& place) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.isServer = place.rank == 0;
  options.waitWorkers = false;
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.address, options);
  } catch (const std::exception& error) {
    fail("train", fmt::format("rank {} of {}", place.rank, place.count), first_line(error),
         place.rank == 0 ? fmt::format("port {} free to listen on", place.port)
                         : fmt::format("rank 0 listening at {}, port {}", place.address, place.port));
  }
}

class GlooRanks : public Collective {
 public:
  GlooRanks(const RankPlace& place, RankEnded ended)
      : place_(place), ended_(std::move(ended)), store_(connect(place)), gone_(static_cast<size_t>(place.count)) {}
  ~GlooRanks() override { group_.reset(); }
  GlooRanks(const GlooRanks&) = delete;
  GlooRanks& operator=(const GlooRanks&) = delete;

  int rank() const override { return place_.rank; }
  int count() const override { return place_.count; }
  int port() const override { return store_->getPort(); }
  bool lost() const override { return lost_; }

  void begin(const std::string& training) override {
    ++training_;
    left_ = false;
    group_.reset();
    store_->set(key("training"), {1});
    const auto deadline = Clock::now() + to_come;
    for (int other = 1; other < place_.count; ++other)
      while (!store_->check({key("here", other)})) {
        const std::string why = ended(other);
        if (!why.empty() || Clock::now() > deadline)
          lose(other, why.empty() ? fmt::format("it has not come within {} s", to_come.count()) : why);
        std::this_thread::sleep_for(between_looks);
      }
    meet();
    std::string text = training;
    train::spread(*this, text);
  }

  std::optional<std::string> next() override {
    ++training_;
    try {
      while (!store_->check({key("training")})) std::this_thread::sleep_for(between_looks);
      left_ = false;
      group_.reset();
      store_->set(key("here", place_.rank), {1});
    } catch (const std::exception&) {
      return {};  // rank 0 has ended, and its store with it
    }
    meet();
    std::string training;
    train::spread(*this, training);
    return training;
  }

  void leave(const std::string& why) override {
    if (!left_) try {
        store_->set(key("left", place_.rank), bytes_of(why));
      } catch (const std::exception&) {
        // Rank 0 has ended: nobody asks.
      }
    left_ = true;
    group_.reset();
  }

  void add(at::Tensor tensor) override {
    if (tensor.numel() == 0) return;
    std::vector<at::Tensor> tensors{tensor};
    together([&] { return group_->allreduce(tensors); });
  }

  void spread(at::Tensor tensor) override {
    if (tensor.numel() == 0) return;
    // As bytes: of any type.
    std::vector<at::Tensor> tensors{
        at::from_blob(tensor.data_ptr(), {static_cast<int64_t>(tensor.nbytes())}, at::kByte)};
    together([&] { return group_->broadcast(tensors); });
  }

 private:
  std::string key(const char* what) const { return fmt::format("{}/{}", what, training_); }
  std::string key(const char* what, int rank) const { return fmt::format("{}/{}/{}", what, training_, rank); }

  /// The process group of this training.
  void meet() {
    const bool here = place_.address == "127.0.0.1" || place_.address == "localhost";
    together([&] {
      const auto options = c10d::ProcessGroupGloo::Options::create(silence);
      options->devices.push_back(here ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                      : c10d::ProcessGroupGloo::createDefaultDevice());
      const auto names = c10::make_intrusive<c10d::PrefixStore>(key("group"), store_);
      group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(names, place_.rank, place_.count, options);
      return c10::intrusive_ptr<c10d::Work>();
    });
  }

  /// Does what all ranks do, and waits for it.
  template <class Start>
  void together(Start start) {
    ensure(!left_, "a rank that left a training takes no part in it");
    try {
      if (const c10::intrusive_ptr<c10d::Work> work = start()) work->wait();
    } catch (const std::exception& error) {
      fail_together(first_line(error));
    }
  }

  /// A connection broke. Every rank that is still there says so or why it left; who does not is gone.
  [[noreturn]] void fail_together(const std::string& found) {
    leave("");
    if (place_.rank != 0)
      fail("train", fmt::format("rank {}", place_.rank), found, "the others until the training ends");
    std::set<int> silent;
    for (int other = 1; other < place_.count; ++other) silent.insert(other);
    for (const auto deadline = Clock::now() + to_answer; !silent.empty(); std::this_thread::sleep_for(between_looks)) {
      for (auto at = silent.begin(); at != silent.end();) {
        if (store_->check({key("left", *at)})) {
          const std::vector<uint8_t> why = store_->get(key("left", *at));
          if (!why.empty())
            throw UserError(fmt::format("train: rank {}: {}", *at, std::string(why.begin(), why.end())));
          at = silent.erase(at);
          continue;
        }
        if (const std::string why = ended(*at); !why.empty()) lose(*at, why);
        ++at;
      }
      if (!silent.empty() && Clock::now() > deadline)
        lose(*silent.begin(), "it does not answer: its process or its machine has ended");
    }
    fail("train", "ranks", found, "connections that last as long as the training");
  }

  std::string ended(int rank) {
    std::string& why = gone_[static_cast<size_t>(rank)];
    if (why.empty() && ended_) why = ended_(rank);
    return why;
  }

  [[noreturn]] void lose(int rank, const std::string& why) {
    lost_ = true;
    gone_[static_cast<size_t>(rank)] = why;
    fail("train", fmt::format("rank {} of {}", rank, place_.count), why,
         "every rank until the training ends; the last checkpoint stays, to go on with --resume");
  }

  RankPlace place_;
  RankEnded ended_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  int64_t training_ = 0;
  bool left_ = false, lost_ = false;
  std::vector<std::string> gone_;  ///< by rank: why
};

}  // namespace

void spread(Collective& ranks, std::string& text) {
  const at::Tensor size = at::full({1}, static_cast<int64_t>(text.size()), at::kLong);
  ranks.spread(size);
  text.resize(static_cast<size_t>(size.item<int64_t>()));
  ranks.spread(at::from_blob(text.data(), {size.item<int64_t>()}, at::kByte));
}

std::unique_ptr<Ranks> join_ranks(const RankPlace& place, const RankEnded& ended) {
  return std::make_unique<GlooRanks>(place, ended);
}

}  // namespace nibble::train
