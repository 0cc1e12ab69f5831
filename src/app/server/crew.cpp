#include "app/server/crew.hpp"

namespace nibble::app {

namespace {
constexpr size_t most_turned_away = 64;
}

Crew::Crew(int connections) {
  for (int i = 0; i < connections; ++i) threads_.emplace_back([this] { work(Welcome::Serve, served_); });
  threads_.emplace_back([this] { work(Welcome::TurnAway, turned_away_); });
}

Crew::~Crew() {
  end();
}

void Crew::take(Connection connection) {
  {
    const std::lock_guard lock(mutex_);
    const bool free = idle_ > served_.size();
    if (free || turned_away_.size() < most_turned_away) {
      (free ? served_ : turned_away_).push_back(std::move(connection));
      changed_.notify_all();
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
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Crew::work(Welcome how, std::deque<Connection>& connections) {
  const size_t one = how == Welcome::Serve ? 1 : 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    idle_ += one;
    changed_.wait(lock, [&] { return ended_ || !connections.empty(); });
    idle_ -= one;
    if (connections.empty()) return;
    const Connection connection = std::move(connections.front());
    connections.pop_front();
    lock.unlock();
    connection(how);
    lock.lock();
  }
}

}  // namespace nibble::app
