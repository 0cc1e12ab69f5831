#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nibble::app {

/// How a connection is to be treated: answered, told that there are too many, or only closed.
enum class Welcome : uint8_t { Serve, TurnAway, Close };

/// Threads that see one connection each to its end, and one that turns away those for which none becomes free in a
/// moment.
class Crew {
 public:
  using Connection = std::function<void(Welcome)>;
  explicit Crew(int connections);
  ~Crew();
  Crew(const Crew&) = delete;

  /// Calls it on a thread; on this one, with Close, where too many wait even to be turned away.
  void take(Connection connection);
  /// Waits for the connections that were taken.
  void end();

 private:
  struct Waiting {
    Connection connection;
    std::chrono::steady_clock::time_point since;
  };
  bool free() const { return idle_ > served_.size(); }
  void serve();
  void turn_away();

  std::mutex mutex_;
  std::condition_variable to_serve_, to_turn_away_;
  std::deque<Connection> served_;
  std::deque<Waiting> waiting_;
  size_t idle_ = 0;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace nibble::app
