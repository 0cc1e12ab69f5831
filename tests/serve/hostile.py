#!/usr/bin/env python3
"""Requests that are none: each gets a 4xx with a reason, or, where none can be told, is closed: hostile.py NIBBLE BUNDLE.

The server lives through them, its memory stays, and a right request is answered behind each hundred.
NIBBLE_SERVE_HOSTILE: how many (400)."""
import collections
import gzip
import json
import os
import random
import socket
import struct
import sys
import threading
import time
import zlib

from server import Bundle, Reader, Server, ask, request

CLIENTS = 24
MOST_MEMORY = 128 << 10  # KiB: bombs that are unpacked take more
LIMIT = 1 << 20


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, packed):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def bmp(width, height, pixels):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def segment(marker, content):
    return bytes([0xff, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(scans, end=b"\xff\xd9"):
    """A gray 8 x 8 progressive JPEG: each scan one coefficient's first bit."""
    table = bytes([0] + [1] + [0] * 15 + [0])
    scan = segment(0xda, bytes([1, 1, 0, 0, 0, 0])) + b"\x7f"
    return (b"\xff\xd8" + segment(0xdb, bytes([0]) + bytes([1] * 64))
            + segment(0xc2, struct.pack(">BHHBBBB", 8, 8, 8, 1, 1, 0x11, 0)) + segment(0xc4, table) + scan * scans + end)


PIXEL_ROWS = zlib.compress((b"\0" + bytes(3 * 24)) * 24)
ZEROS = (packer := zlib.compressobj(1)).compress(bytes(64 << 20)) + packer.flush()  # 64 MiB in 300 KB
GZIP = gzip.compress(bytes(8 << 20))


def form(part, boundary="xyz", head="boundary=xyz", end=None):
    body = f"--{boundary}\r\n".encode() + part + (f"\r\n--{boundary}--\r\n".encode() if end is None else end)
    return request(body=body, headers=[f"Content-Type: multipart/form-data; {head}"])


FILE = b'Content-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'

# Each: a name, the statuses that are right, and the bytes, by a random generator.
KINDS = [
    ("png cut off", {400}, lambda r, s: request(body=s[:r.randrange(len(s) - 12)])),
    ("jpeg cut off", {400}, lambda r, s: request(body=(whole := jpeg(3))[:r.randrange(len(whole) - 1)])),
    ("jpeg without end", {400}, lambda r, s: request(body=jpeg(3, b""))),
    ("jpeg of many scans", {400}, lambda r, s: request(body=jpeg(10000))),
    ("bmp cut off", {400}, lambda r, s: request(body=(whole := bmp(24, 24, bytes(1728)))[:r.randrange(len(whole))])),
    ("png of too many pixels", {413}, lambda r, s: request(body=png(8000, 8000, ZEROS))),
    ("png that unpacks beyond its pixels", {400}, lambda r, s: request(body=png(24, 24, ZEROS))),
    ("png of rows that are missing", {400}, lambda r, s: request(body=png(24, 240, PIXEL_ROWS))),
    ("gzip", {415}, lambda r, s: request(body=GZIP, headers=["Content-Encoding: gzip"])),
    ("gzip that nothing says", {400}, lambda r, s: request(body=GZIP)),
    ("junk as a picture", {400}, lambda r, s: request(body=r.randbytes(r.randrange(5000)))),
    ("empty", {400}, lambda r, s: request()),
    ("text", {415}, lambda r, s: request(body=b"hello", headers=["Content-Type: text/plain"])),
    ("a sound", {415}, lambda r, s: request(body=b"RIFF", headers=["Content-Type: audio/wav"])),
    ("too long", {413}, lambda r, s: request(body=b"x", length=LIMIT + 1 + r.randrange(1 << 40))),
    ("length beyond numbers", {413}, lambda r, s: request(length=10 ** 30)),
    ("length below zero", {400}, lambda r, s: request(length=-r.randrange(1, 1000))),
    ("length that is none", {400}, lambda r, s: request(length=r.choice(["", "1a", "0x10", "1,1", "+3"]))),
    ("two lengths", {400}, lambda r, s: request(body=s, headers=["Content-Length: 3"])),
    ("no length", {411}, lambda r, s: b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + s),
    ("chunks", {411}, lambda r, s: b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"),
    ("a huge header", {431}, lambda r, s: request(headers=["X: " + "y" * r.randrange(17000, 100000)])),
    ("many headers", {431}, lambda r, s: request(headers=["X: y"] * r.randrange(101, 3000))),
    ("a huge target", {414}, lambda r, s: request("GET", "/" + "a" * r.randrange(5000, 60000))),
    ("a path that is not there", {404}, lambda r, s: request("GET", r.choice(["/../etc/passwd", "/%2e%2e/", "/x"]))),
    ("a target that is none", {400}, lambda r, s: request("GET", r.choice(["*", "http://x/", "x", "/a b", "/#a"]))),
    ("a wrong method", {405}, lambda r, s: request(r.choice(["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]), "/")),
    ("POST elsewhere", {405}, lambda r, s: request(target="/health", body=s)),
    ("a method that is none", {400}, lambda r, s: request(r.choice(["G(T", "", "GE\u00e9"]))),
    ("another version", {400, 505}, lambda r, s: b"GET / " + r.choice([b"HTTP/2.0", b"HTTP/0.9", b"FTP/1", b""]) + b"\r\n\r\n"),
    ("no host", {400}, lambda r, s: b"GET /health HTTP/1.1\r\n\r\n"),
    ("a header that is none", {400}, lambda r, s: request("GET", headers=[r.choice(["no colon", " a: b", "a : b", ": c"])])),
    ("a line without CR", {400}, lambda r, s: b"GET /health HTTP/1.1\nHost: x\n\n"),
    ("a NUL", {400}, lambda r, s: b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("TLS", {400}, lambda r, s: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + r.randbytes(500)),
    ("junk", {400}, lambda r, s: b"\0" + r.randbytes(r.randrange(1, 3000))),
    ("a body of GET", {400}, lambda r, s: request("GET", body=b"hello")),
    ("another expectation", {417}, lambda r, s: request(body=s, headers=["Expect: a miracle"])),
    ("a box that is none", {400}, lambda r, s: request(target="/?box=" + r.choice(["1,2", "a", "0,0,0,0", "", "1,2,3,99999999999"]), body=s)),
    ("a query that is none", {400}, lambda r, s: request(target="/?" + r.choice(["drow=1", "draw=2", "draw", "%zz=%", "a" * 3000]), body=s)),
    ("a form without end", {400}, lambda r, s: form(FILE + s, end=b"")),
    ("a form without boundary", {400}, lambda r, s: form(FILE + s, head="")),
    ("a form of another boundary", {400}, lambda r, s: form(FILE + s, head="boundary=abc")),
    ("a form without file", {400}, lambda r, s: form(b'Content-Disposition: form-data; name="f"\r\n\r\nhello')),
    ("a form of two files", {400}, lambda r, s: form(FILE + s + b"\r\n--xyz\r\n" + FILE + s)),
    ("a form whose part has no head", {400}, lambda r, s: form(b"x" * 10000)),
    ("half a body", {400}, lambda r, s: request(body=s[:-r.randrange(1, len(s))], length=len(s))),
    ("half a header", {400}, lambda r, s: request("GET", "/health")[:r.randrange(1, 30)]),
    ("a header in slow bytes", {408}, lambda r, s: request("GET", "/health", headers=["X: " + "y" * 500])),
    ("a body in slow bytes", {408}, lambda r, s: request(body=s)),
    ("connects and leaves", {None}, lambda r, s: b""),
    ("leaves before the answer", {None}, lambda r, s: request(body=s)),
]
HALF = {"half a body", "half a header"}
SLOW = {"a header in slow bytes", "a body in slow bytes"}
LEAVES = {"connects and leaves", "leaves before the answer"}


def send_slowly(connection, sent):
    """A byte in a while, until the server has had enough."""
    connection.settimeout(0.05)
    for i in range(len(sent)):
        try:
            connection.send(sent[i:i + 1])
            if connection.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
    connection.settimeout(30)


def try_one(server, kind, sent):
    """What came back: an answer, or None."""
    name = kind[0]
    with server.connect() as connection:
        if name in LEAVES:
            connection.sendall(sent)
            return None
        if name in SLOW:
            send_slowly(connection, sent)
        else:
            try:
                connection.sendall(sent)
            except (BrokenPipeError, ConnectionResetError):
                pass
        if name in HALF:
            connection.shutdown(socket.SHUT_WR)
        return Reader(connection).answer()


def fault_of(kind, answer):
    name, right, _ = kind
    if right == {None}:
        return None
    if answer is None:
        return f"{name}: closed without an answer"
    if answer.status not in right:
        return f"{name}: {answer.status} {answer.body[:200]} (expected {right})"
    return None if answer.reason() else f"{name}: no reason in {answer.body[:200]}"


def run(server, bundle, kinds, count, seed):
    faults, statuses, lock, left = [], collections.Counter(), threading.Lock(), iter(range(count))

    def client():
        while True:
            with lock:
                i = next(left, None)
            if i is None:
                return
            kind = kinds[i % len(kinds)]
            picture, golden = bundle.samples[i % len(bundle.samples)]
            try:
                answer = try_one(server, kind, kind[2](random.Random(seed + i), picture))
                fault = fault_of(kind, answer)
                if fault is None and i % 100 == 0:
                    right = ask(server, request(body=picture))
                    fault = None if right and right.json() == golden else f"behind '{kind[0]}' a right request fails"
            except OSError as error:
                answer, fault = None, f"{kind[0]}: {error}"
            with lock:
                statuses[answer.status if answer else "closed"] += 1
                faults.extend([f"request {i}: {fault}"] if fault else [])

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return faults, statuses


def main(nibble, path):
    count = int(os.environ.get("NIBBLE_SERVE_HOSTILE", "400"))
    bundle = Bundle(path)
    server = Server(nibble, path, "--threads", "2", "--timeout", "1", "--limit", str(LIMIT))
    quick = [kind for kind in KINDS if kind[0] not in SLOW]
    slow = [kind for kind in KINDS if kind[0] in SLOW]
    start = time.perf_counter()
    faults, statuses = run(server, bundle, quick, count - count // 20, 1)
    more, slowly = run(server, bundle, slow, count // 20, 2)
    faults += more
    statuses += slowly
    if not server.lives():
        faults.append(f"the server ended with {server.process.wait()}: {server.process.stderr.read()}")
    else:
        most = server.memory("VmHWM")
        faults += [f"{most} KiB were used"] if most > MOST_MEMORY else []
        picture, golden = bundle.samples[0]
        if ask(server, request(body=picture)).json() != golden:
            faults.append("a right request fails at the end")
        if (code := server.end()) != 0:
            faults.append(f"it ends with {code}: {server.complaint}")
        print(json.dumps({"requests": count, "seconds": round(time.perf_counter() - start, 1), "most_kib": most,
                          "statuses": {str(status): n for status, n in sorted(statuses.items(), key=str)}}))
    print("\n".join(faults[:40]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
