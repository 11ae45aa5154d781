"""Good requests to the example service beside hostile ones: latency, failures and memory."""

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from langalign_sk import save

from .._lib.machine import machine
from .._lib.paths import ROOT
from .._lib.tables import publish, to_rst, written_by
from .attackers import LARGE, N_STALLED
from .service import Client, Texts, example, served

REQUESTS, ROWS = 300, 8
LEAD = 3  # seconds that attackers have before the first request
HOSTILE = {
    "quiet": (),
    "stalled connections": ("stalled",),
    "large bodies": ("large_bodies",),
    "stalled connections and large bodies": ("stalled", "large_bodies"),
    "wrong items": ("wrong_items",),
    "all of them": ("stalled", "large_bodies", "wrong_items"),
}


@contextmanager
def attacked(port, names):
    """Attackers in a process of their own."""
    if not names:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.costs.attackers", str(port), *names]
    process = subprocess.Popen(command, cwd=ROOT)  # nosec B603
    try:
        time.sleep(LEAD)
        yield
        if process.poll() is not None:
            raise SystemExit("the attackers ended")
    finally:
        process.kill()
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
    latencies, failed = [], 0
    with attacked(port, HOSTILE[phase]):
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
            results = {phase: measured(port, process, texts, phase) for phase in HOSTILE}
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
        for phase in HOSTILE
        if phase in phases
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
