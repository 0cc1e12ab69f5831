#include "app/server/crew.hpp"

namespace nibble::app {
namespace {

constexpr size_t most_waiting = 64;
/// What a thread may take to see that its client has gone.
constexpr std::chrono::milliseconds moment{100};

}  // namespace

Crew::Crew(int connections) {
  for (int i = 0; i < connections; ++i) threads_.emplace_back([this] { serve(); });
  threads_.emplace_back([this] { turn_away(); });
}

Crew::~Crew() {
  end();
}

void Crew::take(Connection connection) {
  {
    const std::lock_guard lock(mutex_);
    if (free()) {
      served_.push_back(std::move(connection));
      to_serve_.notify_one();
      return;
    }
    if (waiting_.size() < most_waiting) {
      waiting_.push_back({std::move(connection), std::chrono::steady_clock::now()});
      to_turn_away_.notify_one();
      return;
    }
  }
  connection(Welcome::Close);
}

void Crew::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  to_serve_.notify_all();
  to_turn_away_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Crew::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    to_turn_away_.notify_one();
    to_serve_.wait(lock, [&] { return ended_ || !served_.empty(); });
    --idle_;
    if (served_.empty()) return;
    const Connection connection = std::move(served_.front());
    served_.pop_front();
    lock.unlock();
    connection(Welcome::Serve);
    lock.lock();
  }
}

void Crew::turn_away() {
  std::unique_lock lock(mutex_);
  for (;;) {
    to_turn_away_.wait(lock, [&] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    if (to_turn_away_.wait_until(lock, first.since + moment, [&] { return free() || ended_; }) && !ended_) {
      served_.push_back(first.connection);
      to_serve_.notify_one();
      continue;
    }
    lock.unlock();
    first.connection(Welcome::TurnAway);
    lock.lock();
  }
}

}  // namespace nibble::app
