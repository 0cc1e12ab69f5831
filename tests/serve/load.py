#!/usr/bin/env python3
"""Many clients at once, and every answer is the right one: load.py NIBBLE BUNDLE.

32 clients keep their connections and ask as fast as they are answered; the answers are the bundle's goldens, and the
server's memory does not grow. NIBBLE_SERVE_REQUESTS: of each client (25)."""
import json
import multiprocessing
import os
import sys
import time

from server import Bundle, Reader, Server, ask, request

CLIENTS = 32
MOST_GROWTH = 4096  # KiB, between the first quarter and the end


def client(server, samples, count, seconds, faults):
    times = []
    with server.connect() as connection:
        reader = Reader(connection)
        for i in range(count):
            picture, golden = samples[i % len(samples)]
            start = time.perf_counter()
            connection.sendall(request(body=picture))
            answer = reader.answer()
            times.append(time.perf_counter() - start)
            if answer is None or answer.status != 200 or answer.json() != golden:
                faults.put(f"request {i}: {answer and (answer.status, answer.body)}")
                break
    seconds.put(times)


def run_clients(server, samples, count):
    """Seconds of every request, and what went wrong."""
    seconds, faults = multiprocessing.SimpleQueue(), multiprocessing.SimpleQueue()
    clients = [multiprocessing.Process(target=client, args=(server, samples, count, seconds, faults))
               for _ in range(CLIENTS)]
    for process in clients:
        process.start()
    times = sorted(time for _ in clients for time in seconds.get())
    for process in clients:
        process.join()
    found = []
    while not faults.empty():
        found.append(faults.get())
    return times, found


def main(nibble, bundle):
    each = int(os.environ.get("NIBBLE_SERVE_REQUESTS", "25"))
    samples = Bundle(bundle).samples
    server = Server(nibble, bundle, "--threads", "2")
    _, faults = run_clients(server, samples, max(each // 4, 1))
    before = server.memory()
    start = time.perf_counter()
    times, more = run_clients(server, samples, each)
    wall = time.perf_counter() - start
    faults += more
    growth = server.memory() - before
    if growth > MOST_GROWTH:
        faults.append(f"memory grew by {growth} KiB from {before}")
    counted = ask(server, request("GET", "/metrics")).body.decode()
    expected = f'nibble_requests_total{{status="200"}} {CLIENTS * (each + max(each // 4, 1))}\n'
    if expected not in counted:
        faults.append(f"/metrics counts otherwise: expected {expected}in\n{counted}")
    if (code := server.end()) != 0:
        faults.append(f"it ends with {code}")
    at = lambda share: 1e3 * times[min(int(share * len(times)), len(times) - 1)]
    print("\n".join(faults) or json.dumps({
        "requests": len(times), "clients": CLIENTS, "per_second": round(len(times) / wall), "p50_ms": round(at(0.5), 2),
        "p99_ms": round(at(0.99), 2), "most_ms": round(at(1), 2), "rss_kib": before + growth, "growth_kib": growth}))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
