"""Searches in some threads while another one changes the documents."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualAligner, load, save
from langalign_sk.retrieval import retriever as retriever_module
from langalign_sk.retrieval import state
from langalign_sk.retrieval.hubness import SCORINGS
from tests.retrieval.toy import every_kind, of_kind
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

N, WIDTH, K = 120, 8, 3
_rng = np.random.default_rng(3)
ROWS = [_rng.normal(size=(2 * N, width)).astype(np.float32) for width in (WIDTH, 5)]
BANK = [_rng.normal(size=(40, width)).astype(np.float32) for width in (WIDTH, 5)]
# Near to documents that are removed, and to some that stay.
NEAR = np.r_[0:12, 60:64, 100:104]
QUERIES = [(rows[NEAR] + 0.1).astype(np.float32) for rows in ROWS]
IDS = [f"d{i}" for i in range(2 * N)]


@pytest.fixture(autouse=True)
def frequent_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def part(rows, at, n_views):
    """Rows of a view alone, or of several."""
    parts = [one[at] for one in rows[:n_views]]
    return parts if n_views > 1 else parts[0]


def changes_of(n_views):
    """Changes of documents, one after the other."""
    out = []
    for i in range(8):
        out.append(lambda r, i=i: r.remove([IDS[i], IDS[40 + i]]))
        new = slice(N + 3 * i, N + 3 * i + 3)
        out.append(lambda r, new=new: r.add(part(ROWS, new, n_views), ids=IDS[new]))
    other = slice(N - 30, 2 * N)
    bank = part(BANK, slice(None), n_views)
    out.append(lambda r: r.fit(part(ROWS, other, n_views), ids=IDS[other], query_bank=bank))
    return out


def answer_of(retriever, queries):
    found = retriever.search(queries, K)
    texts = found["text"].tolist() if "text" in found else None
    return tuple(found["id"]), None if texts is None else tuple(texts)


def assert_old_or_new(retriever, queries, changes):
    """Answers beside the changes are those before or after one of them."""
    twin = pickle.loads(pickle.dumps(retriever))
    right = [answer_of(twin, queries)]
    for change in changes:
        change(twin)
        right.append(answer_of(twin, queries))
    assert len({*right}) > len(changes) // 2  # the queries see the changes
    done, begun = threading.Event(), threading.Barrier(4)

    def read():
        begun.wait()
        answers = {answer_of(retriever, queries)}
        while not done.is_set():
            answers.add(answer_of(retriever, queries))
        return answers

    def write():
        begun.wait()
        try:
            for change in changes:
                change(retriever)
        finally:
            done.set()

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        pool.submit(write).result()
        for reader in readers:
            assert reader.result() <= {*right}
    assert answer_of(retriever, queries) == right[-1]


@pytest.mark.parametrize("scoring", SCORINGS)
@every_kind
def test_documents_come_and_go_beside_searches(kind, scoring):
    retriever = of_kind(kind, scoring=scoring)
    retriever.fit(ROWS[0][:N], ids=IDS[:N], query_bank=BANK[0])
    assert_old_or_new(retriever, QUERIES[0], changes_of(1))


@pytest.mark.parametrize("parameters", [{"fusion": "rank"}, {"scoring": "csls", "centre": True}])
@every_kind
def test_several_views(kind, parameters):
    retriever = of_kind(kind, aligner=[None, None], **parameters)
    retriever.fit([rows[:N] for rows in ROWS], ids=IDS[:N], query_bank=BANK)
    changes = changes_of(2)
    if "centre" in parameters:
        changes[4:4] = [lambda r: r.partial_adapt(QUERIES)]
    assert_old_or_new(retriever, QUERIES, changes)


@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_words_in_common(scoring):
    pytest.importorskip("bm25s")
    pytest.importorskip("anyascii")
    aligner = CrossLingualAligner(
        "ko", encoder=ToyEncoder(), method="ridge", alpha=1.0, corpus=None
    ).fit(PAIRS)
    texts = [f"{text} part A-{i}" for i, text in enumerate(ENGLISH[:60])]
    retriever = of_kind("exact", aligner=aligner.freeze(), lexical=True, scoring=scoring)
    retriever.fit(texts[:40], query_bank=KOREAN[:50])
    changes = []
    for i in range(6):
        changes.append(lambda r, i=i: r.remove([i, 20 + i]))
        changes.append(lambda r, i=i: r.add(texts[40 + 2 * i : 42 + 2 * i]))
    queries = [f"{KOREAN[i]} 부품 A-{i}" for i in (0, 2, 5, 20, 41, 43, 45, 50)]
    assert_old_or_new(retriever, queries, changes)


@every_kind
def test_additions_in_several_threads_are_all_there(kind):
    retriever = of_kind(kind).fit(ROWS[0][:20], ids=IDS[:20])
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(retriever.add, ROWS[0][i : i + 1], ids=[IDS[i]]) for i in range(20, N)]
        jobs += [pool.submit(retriever.remove, IDS[i]) for i in range(10)]
        for job in jobs:
            job.result()
    assert sorted(retriever.ids_) == sorted(IDS[10:N])
    assert retriever.search(ROWS[0][10:N], 1)["id"].tolist() == IDS[10:N]


def test_a_fit_that_fails_keeps_what_another_thread_has_added(monkeypatch):
    """It waits for the other thread, so that the former fit is the one with these documents."""
    retriever = of_kind("exact").fit(ROWS[0][:20], ids=IDS[:20])
    waiting = threading.Event()

    def writing(retriever):
        waiting.set()
        return state.writing(retriever)

    def fail():
        with pytest.raises(ValueError, match="ids for"):
            retriever.fit(ROWS[0], ids=[1])

    monkeypatch.setattr(retriever_module, "writing", writing)
    with ThreadPoolExecutor(1) as pool:
        with state.writing(retriever):
            failing = pool.submit(fail)
            waiting.wait()
            retriever.add(ROWS[0][20:30], ids=IDS[20:30])
        failing.result()
    assert retriever.ids_ == IDS[:30]


@every_kind
def test_a_change_leaves_what_was_searched_before(kind):
    retriever = of_kind(kind, scoring="csls")
    retriever.fit(ROWS[0][:N], ids=IDS[:N], query_bank=BANK[0])
    twin = copy.copy(retriever)
    before = twin.kneighbors(QUERIES[0], K)
    retriever.remove(IDS[:30]).add(ROWS[0][N:], ids=IDS[N:])
    for old, now in zip(before, twin.kneighbors(QUERIES[0], K), strict=True):
        assert_array_equal(now, old)
    assert twin.ids_ == IDS[:N]


@pytest.mark.parametrize("how", ["index", "model"])
def test_a_folder_is_saved_and_opened_beside_changes(how, tmp_path):
    retriever = of_kind("exact").fit(ROWS[0][:N], ids=IDS[:N])
    folder, done = tmp_path / "saved", threading.Event()

    def save_it():
        retriever.save_index(folder) if how == "index" else save(retriever, folder)

    def opened():
        return of_kind("exact").open_index(folder) if how == "index" else load(folder)

    save_it()
    right = {answer_of(retriever, QUERIES[0])}
    twin = copy.copy(retriever)
    for change in changes_of(1):
        change(twin)
        right.add(answer_of(twin, QUERIES[0]))

    def write():
        try:
            for change in changes_of(1):
                change(retriever)
        finally:
            done.set()

    def keep_saving():
        while not done.is_set():
            save_it()

    def keep_opening():
        answers = []
        while not done.is_set():
            answers.append(answer_of(opened(), QUERIES[0]))
        return answers

    with ThreadPoolExecutor(3) as pool:
        saving, opening = pool.submit(keep_saving), pool.submit(keep_opening)
        pool.submit(write).result()
        saving.result()
        assert {*opening.result()} <= right
    save_it()
    assert answer_of(opened(), QUERIES[0]) == answer_of(retriever, QUERIES[0])
