#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "data/dataset.hpp"
#include "data/preprocessor.hpp"

namespace nibble::data {
namespace {

/// What the threads prepare: either a batch, or the error that ended it.
struct Prepared {
  Batch batch;
  std::exception_ptr error;
};

/// Puts `part` at `index` of `whole`, which the first one shapes.
void place(Tensor& whole, const Tensor& part, size_t index, size_t count) {
  if (index == 0) {
    Shape shape = part.shape();
    shape.insert(shape.begin(), static_cast<int64_t>(count));
    whole = Tensor(ElementType::Float32, std::move(shape));
  }
  const Shape expected(whole.shape().begin() + 1, whole.shape().end());
  if (part.shape() != expected)
    fail("data", "batch", "an example of shape " + to_string(part.shape()),
         to_string(expected) + " as the one before; resize or crop makes images alike");
  std::memcpy(whole.bytes().data() + index * part.bytes().size(), part.bytes().data(), part.bytes().size());
}

}  // namespace

struct Loader::Impl {
  std::shared_ptr<const Dataset> set;
  Preprocessor preprocessor;
  bool target_is_input;
  std::vector<int64_t> order;
  size_t batch_size;
  Augmentation augmentation;
  Random random;

  std::mutex mutex;
  std::condition_variable changed;
  std::map<size_t, Prepared> ready;
  size_t started = 0, delivered = 0, window = 2;
  bool stopping = false;
  std::vector<std::thread> threads;

  size_t batches() const { return (order.size() + batch_size - 1) / batch_size; }

  Batch prepare(size_t number) const {
    const size_t first = number * batch_size;
    const size_t count = std::min(batch_size, order.size() - first);
    Batch batch;
    for (size_t i = 0; i < count; ++i) {
      const int64_t index = order[first + i];
      const Sample sample = set->sample(index);
      Tensor x = preprocessor(sample.x, sample.rate);
      Random own = random.fork(static_cast<uint64_t>(index));
      if (augmentation) augmentation(x, own);
      place(batch.x, x, i, count);
      batch.others.resize(sample.others.size());
      for (size_t k = 0; k < sample.others.size(); ++k)
        place(batch.others[k], preprocessor(sample.others[k]), i, count);
      if (sample.label >= 0 && !target_is_input) batch.labels.push_back(sample.label);
      if (sample.group >= 0) batch.groups.push_back(sample.group);
      if (!sample.target && !target_is_input) continue;
      if (i == 0) batch.target.emplace();
      place(*batch.target, target_is_input ? x : sample.target->cast(ElementType::Float32), i, count);
    }
    return batch;
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stopping || started == batches() || started < delivered + window; });
      if (stopping || started == batches()) return;
      const size_t number = started++;
      lock.unlock();
      Prepared prepared;
      try {
        prepared.batch = prepare(number);
      } catch (...) {
        prepared.error = std::current_exception();
      }
      lock.lock();
      ready.emplace(number, std::move(prepared));
      changed.notify_all();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
};

std::vector<Tensor> Batch::inputs() const {
  std::vector<Tensor> all{x};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

Loader::Loader(std::shared_ptr<const Dataset> set, Preprocess preprocess, std::vector<int64_t> order,
               int64_t batch_size, int threads, Augmentation augmentation, Random random) {
  if (batch_size < 1) fail("data", "loader", "batch size " + std::to_string(batch_size), "at least 1");
  if (threads < 1) fail("data", "loader", std::to_string(threads) + " threads", "at least 1");
  for (int64_t index : order) ensure(index >= 0 && index < set->size(), "an order lists examples of the set");
  impl_.reset(new Impl{std::move(set),
                       Preprocessor(preprocess),
                       preprocess.target_is_input,
                       std::move(order),
                       static_cast<size_t>(batch_size),
                       std::move(augmentation),
                       random,
                       {},
                       {},
                       {},
                       0,
                       0,
                       2 * static_cast<size_t>(threads),
                       false,
                       {}});
  try {
    for (int i = 0; i < threads; ++i) impl_->threads.emplace_back([this] { impl_->work(); });
  } catch (...) {
    impl_->stop();
    throw;
  }
}

Loader::~Loader() {
  impl_->stop();
}

std::optional<Batch> Loader::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->delivered == impl_->batches()) return {};
  impl_->changed.wait(lock, [&] { return impl_->ready.contains(impl_->delivered); });
  auto node = impl_->ready.extract(impl_->delivered++);
  impl_->changed.notify_all();
  lock.unlock();
  if (node.mapped().error) std::rethrow_exception(node.mapped().error);
  return std::move(node.mapped().batch);
}

}  // namespace nibble::data
