#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "app/application.hpp"

namespace nibble::app {

/// Workers of an application, made once and lent to requests in the order in which they came. No more than `most_waiting`
/// requests wait.
class Desk {
 public:
  Desk(const Application& application, int workers, size_t most_waiting);

  using Lent = std::unique_ptr<Worker, std::function<void(Worker*)>>;
  /// A worker, which goes back when it is let go; none where too many wait already or the time is up.
  Lent take(std::chrono::steady_clock::time_point until);

  size_t workers() const { return workers_.size(); }
  size_t running() const;
  size_t waiting() const;

 private:
  struct Place {
    std::condition_variable called;
    Worker* worker = nullptr;
  };
  void give_back(Worker* worker);

  size_t most_waiting_;
  std::vector<std::unique_ptr<Worker>> workers_;
  mutable std::mutex mutex_;
  std::vector<Worker*> free_;
  std::deque<Place*> queue_;
};

}  // namespace nibble::app
