#include "app/server/desk.hpp"

#include <algorithm>

namespace nibble::app {

Desk::Desk(const Application& application, int workers, size_t most_waiting) : most_waiting_(most_waiting) {
  for (int i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(application, 1));
    free_.push_back(workers_.back().get());
  }
}

Desk::Lent Desk::take(std::chrono::steady_clock::time_point until) {
  const auto returned = [this](Worker* worker) { give_back(worker); };
  std::unique_lock lock(mutex_);
  if (!free_.empty()) {
    Worker* const worker = free_.back();
    free_.pop_back();
    return {worker, returned};
  }
  if (queue_.size() >= most_waiting_) return {nullptr, returned};
  Place place;
  queue_.push_back(&place);
  if (!place.called.wait_until(lock, until, [&] { return place.worker != nullptr; })) std::erase(queue_, &place);
  return {place.worker, returned};
}

void Desk::give_back(Worker* worker) {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) {
    free_.push_back(worker);
    return;
  }
  Place* const first = queue_.front();
  queue_.pop_front();
  first->worker = worker;
  first->called.notify_one();
}

size_t Desk::running() const {
  const std::lock_guard lock(mutex_);
  return workers_.size() - free_.size();
}

size_t Desk::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

}  // namespace nibble::app
