"""Hostile clients of ``python -m benchmarks hostile``: run as a process of their own, they do not slow
the client that measures more than the cores they take."""

import json
import random
import socket
import sys
import time
from contextlib import suppress
from threading import Thread

N_STALLED = 300
PAUSE = 0.5  # seconds between two bodies of a hostile client
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LARGE, WRONG = 28_000_000, b'{"texts":[' + b"[]," * 1_300_000 + b"[]]}"
LETTERS = json.dumps({"texts": ["\ufdfa" * 2_000] * 256}).encode()


def sent_whole(port, content, pieces=65_536):
    """Send a request and read its answer; an answer that comes early ends the sending."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with suppress(OSError):
            for start in range(0, len(content), pieces):
                connection.sendall(content[start : start + pieces])
        connection.recv(100)


def with_length(content):
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content


def large_bodies(port):
    request = with_length(b" " * LARGE)
    while True:
        sent_whole(port, request)
        time.sleep(PAUSE)


def wrong_items(port):
    requests = [with_length(WRONG), with_length(LETTERS)]
    while True:
        for request in requests:
            sent_whole(port, request)
        time.sleep(PAUSE)


def stalled(port):
    """Keep connections open that say nothing, half a head, or half a body; open closed ones again."""
    says = [b"", HEAD[:40], HEAD + b"Content-Length: 3000000\r\n\r\n" + b" " * 1_000]
    connections: list[socket.socket] = []
    while True:
        time.sleep(0.2)
        for connection in list(connections):
            with suppress(BlockingIOError):
                try:
                    closed = connection.recv(4_096) == b""
                except ConnectionError:
                    closed = True
                if closed:
                    connection.close()
                    connections.remove(connection)
        while len(connections) < N_STALLED:
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), timeout=60)
                connections.append(connection)
                connection.sendall(random.choice(says))  # nosec B311 # no secret
                connection.setblocking(False)


ATTACKERS = {work.__name__: work for work in (stalled, large_bodies, wrong_items)}

if __name__ == "__main__":
    for name in sys.argv[2:]:
        Thread(target=ATTACKERS[name], args=(int(sys.argv[1]),)).start()
