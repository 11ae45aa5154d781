"""Good requests to the example service beside hostile ones: latency, failures and memory."""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np

from langalign_sk import save

from .._lib.machine import machine
from .._lib.paths import ROOT
from .._lib.tables import publish, to_rst, written_by
from .service import EXAMPLE, Client, Texts, example

REQUESTS, ROWS = 300, 8
N_STALLED = 300
PAUSE = 0.5  # seconds between two bodies of a hostile client
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LARGE, WRONG = 28_000_000, b'{"texts":[' + b"[]," * 1_300_000 + b"[]]}"
LETTERS = json.dumps({"texts": ["\ufdfa" * 2_000] * 256}).encode()
PHASES = ("quiet", "stalled connections", "large bodies", "wrong items", "all of them")


def sent_whole(port, content, pieces=65_536):
    """Send a request and read its answer; an answer that comes early ends the sending."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = HEAD + b"Content-Length: %d\r\n\r\n" % len(content)
        connection.sendall(head)
        with suppress(OSError):
            for start in range(0, len(content), pieces):
                connection.sendall(content[start : start + pieces])
        connection.recv(100)


def large_bodies(port, stop):
    content = b" " * LARGE
    while not stop.wait(PAUSE):
        sent_whole(port, content)


def wrong_items(port, stop):
    while not stop.wait(PAUSE):
        sent_whole(port, WRONG)
        sent_whole(port, LETTERS)


def stalled(port, stop):
    """Keep connections open that say nothing, half a head, or half a body; open closed ones again."""
    says = [b"", HEAD[:40], HEAD + b"Content-Length: 3000000\r\n\r\n" + b" " * 1_000]
    connections: list[socket.socket] = []
    while not stop.wait(0.2):
        for connection in list(connections):
            with suppress(BlockingIOError):
                try:
                    closed = connection.recv(4_096) == b""
                except ConnectionError:
                    closed = True
                if closed:
                    connection.close()
                    connections.remove(connection)
        while len(connections) < N_STALLED and not stop.is_set():
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.sendall(random.choice(says))  # nosec B311 # no secret
            connection.setblocking(False)
            connections.append(connection)
    for connection in connections:
        connection.close()


HOSTILE = {
    "quiet": (),
    "stalled connections": (stalled,),
    "large bodies": (large_bodies,),
    "wrong items": (wrong_items,),
    "all of them": (stalled, large_bodies, wrong_items),
}


@contextmanager
def served(folder):
    """Port and process of the example service, as it is started by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "SERVICE_MODEL": str(folder), "SERVICE_PORT": str(port)}
    command = [sys.executable, str(EXAMPLE)]
    process = subprocess.Popen(  # nosec B603
        command,
        env={**env, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit("the service did not start")
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.1)
        yield port, process
    finally:
        process.terminate()
        process.wait()


def memory_of(process):
    """Largest resident memory of a process so far, in bytes; None where the system does not say."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def measured(port, process, texts, phase):
    """Latencies of good requests, one after another, while others do what the phase says."""
    stop = Event()
    threads = [Thread(target=work, args=(port, stop)) for work in HOSTILE[phase]]
    for thread in threads:
        thread.start()
    latencies, failed = [], 0
    client = Client(port)
    for _ in range(REQUESTS):
        start = time.perf_counter()
        try:
            client(texts.take(ROWS))
        except (OSError, RuntimeError) as error:
            print(f"{phase}: {error}", flush=True)
            failed += 1
            client = Client(port)
        latencies.append(time.perf_counter() - start)
    stop.set()
    for thread in threads:
        thread.join()
    p50, p99 = (1e3 * np.percentile(latencies, [50, 99])).tolist()
    out = {"p50_ms": p50, "p99_ms": p99, "failed": failed, "peak_bytes": memory_of(process)}
    print(phase, out, flush=True)
    return out


def main():
    print(machine(), "\n")
    texts = Texts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        save(example().train(), folder)
        with served(folder) as (port, process):
            for _ in range(20):
                Client(port)(texts.take(ROWS))
            results = {phase: measured(port, process, texts, phase) for phase in PHASES}
            results["ended"] = process.poll() is not None
    publish("hostile", {"phases": results}, pages)


def pages(results):
    """Text of the docs."""
    phases = results["phases"]
    rows = [
        [
            phase,
            f"{phases[phase]['p50_ms']:.0f}",
            f"{phases[phase]['p99_ms']:.0f}",
            f"{phases[phase]['p99_ms'] / phases['quiet']['p99_ms']:.1f}",
            f"{phases[phase]['failed']} of {REQUESTS}",
            f"{phases[phase]['peak_bytes'] / 1e6:,.0f}" if phases[phase]["peak_bytes"] else "",
        ]
        for phase in PHASES
    ]
    head = ["Beside", "p50, ms", "p99, ms", "times the quiet p99", "failed", "peak memory, MB"]
    text = (
        f"A client asks {REQUESTS} times for {ROWS} new rows, one request after another. Beside it, "
        f"{N_STALLED} connections say nothing, half a head or half a body and are opened again when "
        f"they are closed; a client sends bodies of {LARGE / 1e6:.0f} MB; and one sends 4 MB of "
        "empty lists and 256 rows of letters that become 18 each:\n\n"
        + to_rst(head, rows)
        + f"\nThe process {'ended' if phases['ended'] else 'went on'}. All clients share its cores. "
        + written_by("hostile", results)
    )
    return {"hostile": text}
