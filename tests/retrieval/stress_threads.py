"""Searches beside changes, for some seconds per backend and scoring.

Every answer must be that of the documents before or after a change:
``python -m tests.retrieval.stress_threads --seconds 20`` prints the number of those that are not.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langalign_sk.retrieval.hubness import SCORINGS
from tests.retrieval.test_threads import BANK, IDS, QUERIES, ROWS, N, answer_of, changes_of, part
from tests.retrieval.toy import KINDS, of_kind

N_READERS = 8


def stressed(retriever: Any, n_views: int, seconds: float) -> tuple[int, int, int]:
    """Number of answers, of wrong ones and of changes."""
    queries, bank = part(QUERIES, slice(None), n_views), part(BANK, slice(None), n_views)

    def begin(r: Any) -> Any:
        return r.fit(part(ROWS, slice(0, N), n_views), ids=IDS[:N], query_bank=bank)

    changes = [*changes_of(n_views), begin]
    twin = pickle.loads(pickle.dumps(begin(retriever)))
    right = {answer_of(twin, queries)}
    for change in changes:
        change(twin)
        right.add(answer_of(twin, queries))
    end = time.monotonic() + seconds

    def read() -> tuple[int, int]:
        n = wrong = 0
        while time.monotonic() < end:
            n, wrong = n + 1, wrong + (answer_of(retriever, queries) not in right)
        return n, wrong

    def write() -> int:
        n = 0
        while time.monotonic() < end:
            for change in changes:
                change(retriever)
                n += 1
        return n

    with ThreadPoolExecutor(N_READERS + 1) as pool:
        writer = pool.submit(write)  # first: readers leave it little time to begin
        readers = [pool.submit(read) for _ in range(N_READERS)]
        n_changes = writer.result()
        answers, wrong = map(sum, zip(*(reader.result() for reader in readers), strict=True))
    return answers, wrong, n_changes


def main() -> int:
    """Number of wrong answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    warnings.simplefilter("ignore")
    sys.setswitchinterval(1e-5)
    settings: list[tuple[int, dict[str, Any]]] = [(1, {"scoring": name}) for name in SCORINGS]
    settings += [(2, {"fusion": "rank"}), (2, {"scoring": "csls", "centre": True})]
    total = 0
    for kind in KINDS:
        for n_views, parameters in settings:
            aligner = [None] * n_views if n_views > 1 else None
            answers, wrong, changes = stressed(
                of_kind(kind, aligner=aligner, **parameters), n_views, seconds
            )
            figures = f"{answers} answers, {wrong} wrong, {changes} changes"
            print(kind, n_views, parameters, figures, flush=True)
            total += wrong
    return total


if __name__ == "__main__":
    sys.exit(main() > 0)
