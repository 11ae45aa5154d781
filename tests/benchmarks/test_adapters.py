"""What the benchmarks of trained maps compute, on toys."""

import json

import numpy as np
import pytest

from benchmarks._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT
from benchmarks._lib.data import capped, pool, unseen
from benchmarks._lib.kept import Kept
from benchmarks._lib.tables import read_results
from benchmarks.adapters import methods, report, run, search, sizes
from langalign_sk import LinearAligner

from .toy import N_PAIRS, N_TEST, toy_rows


@pytest.fixture
def rows():
    return toy_rows()


def test_capped_rows_keep_their_labels():
    texts = [f"text {i}" for i in range(9)]
    few, labels = capped(texts, np.arange(9), 4)
    assert few == [f"text {i}" for i in labels]
    assert len(set(few)) == 4
    assert capped(texts, np.arange(9), 9)[0] is texts
    assert capped(texts, np.arange(9), None)[0] is texts


def test_held_out_pairs_share_no_text_with_the_pool(tmp_path):
    folder = tmp_path / "parallel" / "ko"
    folder.mkdir(parents=True)
    # Every English sentence has two translations, so that half of the pool has a twin outside.
    lines = [f"sentence {i // 2}\t문장 {i}" for i in range(60)]
    (folder / "toy.tsv").write_text("\n".join(lines), encoding="utf-8")
    target, english = pool(tmp_path, "ko", 20)
    others, others_english = unseen(tmp_path, "ko", 20, 5)
    assert len(others) == len(set(others_english)) == 5
    assert not set(english) & set(others_english)
    assert not set(target) & set(others)
    rest = unseen(tmp_path, "ko", 20, 100)[1]
    assert len(rest) == 30 - len(set(english))


def test_one_fit_serves_both_directions(rows):
    found = sizes.cell(rows, "ko", LinearAligner("procrustes"), N_PAIRS, 0)
    # A rotation and a shift are undone by the map and by the map back.
    for direction in sizes.DIRECTIONS:
        assert found[direction]["tatoeba"] == found[direction]["held_out"] == 1
        assert found[direction]["accuracy"] > 0.9
    none = sizes.unaligned(rows, "ko")
    assert none["reverse"] == none["forward"]
    assert none["reverse"]["tatoeba"] < 0.5
    assert "training" not in found


def test_forward_heads_are_trained_on_moved_rows_with_the_c_of_the_others(rows):
    moved = []

    def move(X):
        moved.append(len(X))
        return X @ rows.bench.turn + 1

    found = sizes.forward(rows, "ko", move)
    assert found["tatoeba"] == 1
    assert moved == [N_TEST] * 3  # training rows, the retrieval set and held-out pairs
    # Nothing is moved but English rows, so that the map undoes nothing on target rows.
    assert sizes.forward(rows, "ko", sizes.same)["accuracy"] < found["accuracy"]


def test_cheap_maps_come_first_and_cells_are_measured_once(rows, tmp_path, monkeypatch):
    fitted, published = [], []

    def make(name):
        def aligner(lang, seed):
            fitted.append((name, seed))
            return LinearAligner("centre")

        return {name: aligner}

    monkeypatch.setattr(sizes, "CHEAP", make("cheap"))
    monkeypatch.setattr(sizes, "NETWORKS", make("trained"))
    monkeypatch.setattr(sizes, "BESIDE", {})
    kept = Kept(tmp_path / "cells.json")
    sizes.measure(rows, kept, lambda: published.append(len(kept.cells)), (20, 30), (0, 1))
    assert fitted[:4] == [("cheap", 0)] * 2 + [("trained", 0)] * 2
    assert published == [4, 6, 8, 10, 10]
    again = Kept(tmp_path / "cells.json")
    assert again.cells == json.loads(json.dumps(kept.cells))
    again.keep(f"ko/{NO_ALIGNMENT}/0/0", lambda: pytest.fail("measured again"))


def cells_of(method, n, accuracies, lang="ko", training=None):
    line = {"tatoeba": 0.5, "held_out": 0.25}
    return {
        f"{lang}/{method}/{n}/{seed}": {
            "seconds": 2.0,
            "reverse": {"accuracy": accuracy, **line},
            "forward": {"accuracy": accuracy - 0.1, **line},
            **({"training": training} if training else {}),
        }
        for seed, accuracy in enumerate(accuracies)
    }


def test_a_summary_has_means_and_deviations_by_number_of_pairs():
    training = {"start": 0.5, "kept": 0.75, "epoch": 4}
    found = sizes.summarize(
        {
            **cells_of(methods.RIDGE, 3_000, [0.6, 0.8]),
            **cells_of(methods.FC, 3_000, [0.7], training=training),
            **cells_of(NO_ALIGNMENT, 0, [0.5]),
            f"ko/{ENGLISH_ROWS}/0/0": {"reverse": {"accuracy": 0.9}},
        }
    )
    of_ridge = found["reverse"]["ko"][methods.RIDGE]
    assert of_ridge[0] is None
    # The deviation of .6 and .8 is the root of .02.
    assert of_ridge[1] == [0.7, 0.1414, 0.5, 0.0, 0.25, 0.0]
    assert found["forward"]["ko"][methods.RIDGE][1][0] == 0.6
    assert found["reverse"]["ko"][NO_ALIGNMENT] == [[0.5, None, 0.5, None, 0.25, None]]
    assert found["reverse"]["ko"][ENGLISH_ROWS] == [[0.9, None, None, None, None, None]]
    assert ENGLISH_ROWS not in found["forward"]["ko"]
    assert found["training"] == {methods.FC: [None, [0.5, 0.75, 4.0, 2.0], None, None]}


def results_of(cells):
    of_encoder = sizes.summarize(cells)
    found = {"machine": "m", "pairs": list(sizes.SIZES), "encoders": {"USE": of_encoder}}
    return {**read_results("adapters"), "sizes": found}


def test_pages_render_from_whatever_is_there():
    names = {"adapters", "adapters_networks", "adapters_tables"}
    assert set(report.pages(results_of({}))) == names
    cells = {}
    for lang, accuracy in (("ko", 0.7), ("ja", 0.8), ("zh", 0.9)):
        cells |= cells_of(methods.RIDGE, 3_000, [0.75], lang)
        cells |= cells_of(methods.FC, 3_000, [accuracy], lang, {"start": 0, "kept": 1, "epoch": 2})
    text = report.pages(results_of(cells))
    # Mean over the languages, and the least difference to ridge, which is Korean.
    assert "0.800" in text["adapters"]
    assert "+0.000 / -0.050" in text["adapters_networks"]
    # There is nothing at 20,000 pairs: the README keeps the table that it has.
    kept = results_of(cells)
    assert report.readme(kept) == search.readme(kept)
    for lang in ("ko", "ja", "zh"):
        for method in (methods.RIDGE, methods.FC):
            of = {"start": 0, "kept": 1, "epoch": 2}
            cells |= cells_of(method, 20_000, [0.75], lang, of)
    table = report.readme(results_of(cells))["adapters"]
    assert f"| {methods.FC} | 0.500 | 0.500 | 0.500 | 0.750 | 0.750 | 0.750 |" in table
    assert table.endswith("Machine: m.")


def test_a_part_keeps_what_is_recorded_of_the_others(tmp_path, monkeypatch):
    recorded = {"machine": "old", "scores": {"a": 1}, "sizes": {"encoders": {"e5": {"old": 1}}}}
    published = {}
    monkeypatch.setattr(run, "CACHE", tmp_path)
    monkeypatch.setattr(run, "read_results", lambda name: recorded)
    monkeypatch.setattr(run, "publish", lambda name, results, *_, **__: published.update(results))
    Kept(tmp_path / "adapters-USE.json").keep(
        f"ko/{NO_ALIGNMENT}/0/0", lambda: cells_of(NO_ALIGNMENT, 0, [0.5])["ko/no alignment/0/0"]
    )
    run.write_sizes()
    assert published["machine"] == "old"
    assert published["scores"] == {"a": 1}
    assert published["sizes"]["encoders"]["e5"] == {"old": 1}
    assert NO_ALIGNMENT in published["sizes"]["encoders"]["USE"]["reverse"]["ko"]
    run.write_search({"b": 2})
    assert published["scores"] == {"b": 2}
    assert published["sizes"] == recorded["sizes"]
