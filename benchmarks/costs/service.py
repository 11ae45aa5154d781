"""Load test of the example service: equal answers, latency, throughput, and its start."""

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from threading import Thread

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder, save
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders.cache.lookup import shared_memory_cache

from .._lib.machine import machine
from .._lib.paths import ROOT
from .._lib.tables import publish, to_rst

EXAMPLE = ROOT / "examples" / "service.py"
THREADS, REQUESTS, MAX_ROWS = 8, 2_000, 32
N_TEXTS = 20_000  # of the load: every one comes back a dozen times, as questions do
ROUNDS, NEW_REQUESTS = 3, 40  # of rows that never came before, which no cache answers
STARTS = 5

# What any service with a scikit-learn pipeline imports is timed by itself. Korean rows only.
START = """
import sys, time
times = [time.perf_counter()]
import joblib
import sklearn.linear_model, sklearn.pipeline
times.append(time.perf_counter())
if sys.argv[1] == "joblib":
    pipe = joblib.load(sys.argv[2])
else:
    from langalign_sk import load
    pipe = load(sys.argv[2])
times.append(time.perf_counter())
pipe.predict(["카드를 잃어버렸어요. 바로 정지해 주세요."])
times.append(time.perf_counter())
print(*(b - a for a, b in zip(times, times[1:])), "torch" in sys.modules)
"""
STEPS = ("scikit-learn", "load", "first row")


def example():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("service_example", EXAMPLE)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{EXAMPLE} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Texts:
    """Korean sentences with a running number: no two are the same."""

    def __init__(self):
        requests = load_service_requests(language="ko", subset="all").data
        self.sentences = [*requests, *load_starter_corpus()["ko"]]
        self.n = 0

    def take(self, n):
        out = [
            f"{self.sentences[i % len(self.sentences)]} ({i})" for i in range(self.n, self.n + n)
        ]
        self.n += n
        return out


def shared_out(texts, n_requests, seed):
    """For every thread, requests of 1 to 32 rows drawn from the texts; None takes new texts."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, MAX_ROWS + 1, size=(THREADS, n_requests))
    if isinstance(texts, Texts):
        return [[texts.take(n) for n in row] for row in sizes]
    return [[[texts[i] for i in rng.integers(len(texts), size=n)] for n in row] for row in sizes]


def in_threads(functions, work):
    """Answers by thread, latencies in seconds, and the seconds that all of it took.

    There is a function for every thread, for each client has a connection of its own.
    """
    answers: list[list] = [[] for _ in work]
    latencies: list[list[float]] = [[] for _ in work]

    def go(k):
        for texts in work[k]:
            start = time.perf_counter()
            answers[k].append(functions[k](texts))
            latencies[k].append(time.perf_counter() - start)

    threads = [Thread(target=go, args=(k,)) for k in range(len(work))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - start
    if [len(a) for a in answers] != [len(w) for w in work]:
        raise SystemExit("a thread broke off")
    return answers, np.concatenate(latencies), taken


class Client:
    """Keep-alive connection to the service."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def __call__(self, texts):
        body = json.dumps({"texts": texts}).encode()
        self.connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {text.decode()}")
        return json.loads(text)


@contextmanager
def served(folder):
    """Port and process of the service, which its own command starts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "SERVICE_MODEL": str(folder), "SERVICE_PORT": str(port)}
    command, quiet = [sys.executable, str(EXAMPLE)], subprocess.DEVNULL
    process = subprocess.Popen(  # nosec B603
        command, env={**env, "PYTHONPATH": str(ROOT)}, stdout=quiet, stderr=quiet
    )
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit("the service did not start")
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    break
            time.sleep(0.1)
        yield port, process
    finally:
        process.terminate()
        process.wait()


def figures(work, latencies, seconds):
    n_rows = sum(len(texts) for part in work for texts in part)
    p50, p99 = np.percentile(latencies, [50, 99]).tolist()
    return {"rows_per_s": n_rows / seconds, "p50_ms": 1e3 * p50, "p99_ms": 1e3 * p99}


def load_test(answer, port, texts):
    """Rates of all requests by HTTP and in this process, and answers that differ from one thread's."""
    work = shared_out(texts.take(N_TEXTS), REQUESTS, seed=0)
    different: dict[str, int] = {}
    out: dict = {"n_rows": sum(len(texts) for part in work for texts in part)}
    start = time.perf_counter()
    expected = [[answer(batch) for batch in part] for part in work]
    out["one thread"] = figures(work, [0.0], time.perf_counter() - start)
    # A connection is made by its first request.
    clients = [Client(port) for _ in work]
    for name, functions in {"HTTP": clients, "in process": [answer] * THREADS}.items():
        shared_memory_cache.purge()
        answers, latencies, seconds = in_threads(functions, work)
        out[name] = figures(work, latencies, seconds)
        pairs = zip(chain(*answers), chain(*expected), strict=True)
        different[name] = sum(one != other for one, other in pairs)
        print(name, out[name], "different answers:", different[name], flush=True)
    return {**out, "different": different}


def new_rows(pipe, answer, port, texts):
    """Rates for rows that no cache has, in turns: bare encoder, pipeline and service."""
    bare = SentenceEncoder(cache=None)
    calls = {
        "bare encoder": [bare.encode] * THREADS,
        "pipe.predict": [pipe.predict] * THREADS,
        "labels and quality": [answer] * THREADS,
        "HTTP": None,
    }
    parts: list[list] = []
    latencies: dict[str, list] = {}
    seconds = dict.fromkeys(calls, 0.0)
    for k in range(ROUNDS):
        work = shared_out(texts, NEW_REQUESTS, seed=1 + k)
        parts += work
        order = list(calls) if k % 2 == 0 else list(calls)[::-1]
        for name in order:
            shared_memory_cache.purge()
            # New connections, for the service closes what was idle for some seconds.
            functions = calls[name] or [Client(port) for _ in range(THREADS)]
            _, waited, taken = in_threads(functions, work)
            latencies.setdefault(name, []).append(waited)
            seconds[name] += taken
    out = {
        name: figures(parts, np.concatenate(latencies[name]), taken)
        for name, taken in seconds.items()
    }
    for name, values in out.items():
        values["of_bare"] = values["rows_per_s"] / out["bare encoder"]["rows_per_s"]
        print(f"new rows, {name}: {values}", flush=True)
    return out


def starts(folder, pipes):
    """Size of the saved pipelines, and a fresh process that loads one and predicts."""
    out = {}
    for name, pipe in pipes.items():
        path = folder / "pipe.joblib"
        joblib.dump(pipe, path)
        out[f"{name}, joblib.dump"] = started("joblib", path) | {"bytes": path.stat().st_size}
        save(pipe, folder / name)
        size = sum(p.stat().st_size for p in (folder / name).iterdir())
        out[f"{name}, langalign_sk.save"] = started("folder", folder / name) | {"bytes": size}
    for name, values in out.items():
        print(f"{name}: {values}", flush=True)
    return out


def started(how, path):
    times = []
    for _ in range(STARTS):
        command = [sys.executable, "-c", START, how, str(path)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)  # nosec B603
        *seconds, torch = lines.stdout.split()
        times.append([float(s) for s in seconds])
    steps = dict(zip(STEPS, np.median(times, axis=0).tolist(), strict=True))
    return {"seconds": steps, "torch": torch == "True"}


def main():
    print(machine(), "\n")
    service, texts = example(), Texts()
    pipe = service.train()
    X, y = load_service_requests(language="en", subset="train", return_X_y=True)
    aligner = CrossLingualAligner("ko", english_encoder="minilm-english", random_state=0)
    minilm = make_pipeline(aligner, LogisticRegression(C=10, max_iter=1000)).fit(X, y)

    def answer(batch):
        return service.answer(pipe, batch)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = {"starts": starts(folder, {"default": pipe, "minilm-english": minilm})}
        with served(folder / "default") as (port, _):
            results["new_rows"] = new_rows(pipe, answer, port, texts)
            results["load"] = load_test(answer, port, texts)
    publish("service", results, pages)


def pages(results):
    """Text of the docs."""
    load, new = results["load"], results["new_rows"]

    def cells(values):
        return [
            f"{values['rows_per_s']:,.0f}",
            f"{values['p50_ms']:.0f}",
            f"{values['p99_ms']:.0f}",
        ]

    different = load["different"]
    calls = [
        [name, *cells(load[name]), f"{different[name]:,} of {THREADS * REQUESTS:,}"]
        for name in ("HTTP", "in process")
    ]
    fresh = [[name, *cells(rates), f"{rates['of_bare']:.2f}"] for name, rates in new.items()]
    sizes = [
        [
            name,
            f"{start['bytes'] / 1e6:.2f}",
            *(f"{start['seconds'][step]:.2f}" for step in STEPS),
            "yes" if start["torch"] else "no",
        ]
        for name, start in results["starts"].items()
    ]
    latency = ["rows a second", "p50, ms", "p99, ms"]
    text = (
        f"{THREADS} threads, each with {REQUESTS:,} requests of 1 to {MAX_ROWS} rows "
        f"({load['n_rows']:,} in all, of {N_TEXTS:,} texts). One thread answered "
        f"{load['one thread']['rows_per_s']:,.0f} rows a second, and its answers are what the "
        "others are compared with:\n\n"
        + to_rst(["Calls", *latency, "answers that differ"], calls)
        + f"\nThe same threads on rows that no cache has, {ROUNDS} times {NEW_REQUESTS} requests "
        "each, in turns:\n\n"
        + to_rst(["Calls", *latency, "of the bare encoder's throughput"], fresh)
        + "\nA fresh process that imports scikit-learn, loads the Korean pipeline and answers a row, "
        f"which loads the encoder (seconds, median of {STARTS}):\n\n"
        + to_rst(["English encoder and format", "MB", *STEPS, "torch imported"], sizes)
        + f"\nWritten by ``python -m benchmarks service``. Machine: {results['machine']}; client and "
        "service share its cores.\n"
    )
    return {"service": text}
