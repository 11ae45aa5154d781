"""What the benchmark of the gap to English computes, on toys."""

import json

import numpy as np
import pytest

from benchmarks.gap import ablations, few, guard, methods, report, run, summary, unlabelled
from benchmarks.gap.tasks import SPLITS, GapTask, Rows, crosswise, halves

WORDS = ("sun", "rain", "wind")


class ToyEncoder:
    """Rows near the corner of the class word that a text begins with."""

    def __init__(self, width, seed):
        self.corners = np.random.default_rng(seed).normal(size=(len(WORDS), width))

    def transform(self, texts):
        rows = []
        for text in texts:
            word, *number = text.split()
            noise = np.random.default_rng(int(number[0]) if number else 0)
            rows.append(self.corners[WORDS.index(word)] + 0.2 * noise.normal(size=6))
        return np.array(rows, dtype=np.float32)


def toy_rows(n, start=0):
    texts = [f"{WORDS[i % 3]} {start + i}" for i in range(n)]
    return Rows(texts, np.array([text.split()[0] for text in texts]))


@pytest.fixture
def task():
    return GapTask("toy", toy_rows(45), toy_rows(9, 100), {"ko": toy_rows(30, 200)}, [])


@pytest.fixture
def encoders():
    return ToyEncoder(6, 0), ToyEncoder(6, 1)


def test_caps_and_what_lies_beyond_are_parts_of_the_whole():
    rows = toy_rows(10)
    kept, rest = rows.capped(6), rows.beyond(6)
    assert len(kept.texts) == 6
    assert sorted(kept.texts + rest) == sorted(rows.texts)
    assert [text.split()[0] for text in kept.texts] == kept.labels.tolist()
    assert rows.capped(10) is rows
    assert rows.beyond(10) == []


def test_every_row_is_scored_once_per_seed_and_never_adapts_itself():
    seen = []

    def predict(adapting, scored):
        assert not set(adapting) & set(scored)
        assert len(adapting) + len(scored) == 7
        seen.append(set(scored))
        return scored < 3

    right = crosswise(7, predict)
    assert right.tolist() == [len(SPLITS)] * 3 + [0] * 4
    assert len(seen) == 2 * len(SPLITS)
    assert set(halves(7, 0)[0]) != set(halves(7, 1)[0])


def test_a_table_compares_each_method_with_both_baselines():
    found = {
        task: {
            methods.LR_USE: {"ko": base},
            methods.LR_BRIDGE: {"ko": [3, 3, 0, 0]},
            methods.ONE: {"ko": row},
        }
        for task, base, row in (
            ("sib200", [3, 0, 0, 0], [3, 3, 3, 0]),
            ("debian_section", [3, 3, 0, 0], [3, 2, 0, 0]),
        )
    }
    english = {task: {methods.ONE: {"en": [3, 0]}} for task in found}
    of = summary.summarize(found, english, ("sib200", "debian_section"))
    row = of["table"][methods.ONE]
    # Accuracies 3/4 and 5/12; those of the baseline 1/4 and 1/2.
    assert row["cells"] == 2
    assert row["mean"] == row["ko"] == pytest.approx((3 / 4 + 5 / 12) / 2)
    over = row["over"][methods.LR_USE]
    assert over["gain"] == pytest.approx(100 * (1 / 2 - 1 / 12) / 2)
    assert (over["cell"], over["worst"]) == ("debian_section ko", pytest.approx(-100 / 12))
    assert over["low"] < over["gain"] < over["high"]
    assert of["cells"]["sib200 ko"][methods.LR_USE] == pytest.approx(0.25)
    assert of["ceilings"] == {methods.ONE: {"cells": 2, "mean": 0.5}}
    assert list(of["table"]) == [methods.LR_USE, methods.LR_BRIDGE, methods.ONE]


def test_an_interval_of_equal_rows_has_no_width():
    assert summary.interval([np.full(5, 2.0), np.full(3, 4.0)]) == (3.0, 3.0, 3.0)


def test_ablations_are_compared_in_the_cells_that_they_have():
    found = {"a": {"ref": {"ko": 0.5, "zh": 0.7}, "x": {"ko": 0.6}}, "b": {"ref": {"ko": 0.9}}}
    of = summary.compare_ablations(found, {"dev": ("a", "b"), "new": ("c",)}, "ref")
    assert of["x"] == {
        "dev": {"cells": 1, "mean": 0.6, "gain": pytest.approx(10), "worst": pytest.approx(10)}
        | {"cell": "a ko"}
    }
    assert of["ref"]["dev"]["mean"] == pytest.approx(0.7)


def test_scaled_matrix_has_the_sums_that_are_asked_for():
    logs = np.random.default_rng(0).normal(size=(4, 3))
    rows, columns = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 0.3, 0.2])
    out = unlabelled.scaled(logs, rows, columns)
    np.testing.assert_allclose(out.sum(axis=1), rows, rtol=1e-6)
    np.testing.assert_allclose(out.sum(axis=0), columns, rtol=1e-6)
    # Sinkhorn's theorem: the matrix is scaled by its rows and columns alone.
    ratio = out / np.exp(logs)
    np.testing.assert_allclose(ratio, np.outer(ratio[:, 0], ratio[0]) / ratio[0, 0], rtol=1e-6)


@pytest.mark.slow
def test_every_ablation_answers_an_easy_task(task, encoders, monkeypatch):
    monkeypatch.setattr(unlabelled, "NEIGHBOURS", 3)
    found = ablations.measure(task, *encoders)
    assert set(found) == {*ablations.PLAIN, *unlabelled.ADAPTED}
    assert all(of["ko"] > 0.9 for of in found.values())
    two = ablations.measure_two(task, encoders[0], ToyEncoder(6, 2), encoders[1])
    assert all(of["ko"] == 1 for of in two.values())
    assert len(two) == 3


def test_labelled_target_rows_follow_the_english_ones(task):
    pooled = few.with_labels(task, task.tests["ko"].take([2, 0]))
    assert pooled.train.texts[-2:] == ["wind 202", "sun 200"]
    assert pooled.train.labels[-2:].tolist() == ["wind", "sun"]
    assert len(task.train.texts) == 45


def test_shifted_text_is_mostly_of_one_class():
    rows = toy_rows(300)
    chosen = list(guard.shifted(rows))
    assert len(chosen) == guard.CLASSES
    for places in chosen:
        counts = np.unique(rows.labels[places], return_counts=True)[1]
        assert counts.max() == 50  # half of the class remains to be scored
        assert counts.max() / counts.sum() == pytest.approx(guard.SHARE, abs=0.01)


def test_gains_of_a_guard_are_those_of_text_that_was_used():
    runs = [
        {"kind": guard.FAIR, "ratio": 0.9, "adapted": True, "gain": 0.02},
        {"kind": guard.FAIR, "ratio": 0.7, "adapted": False, "gain": 0.0},
    ]
    found = guard.summarized(runs)
    assert found[guard.FAIR] == {
        "runs": 2,
        "ratio": [pytest.approx(0.8), 0.7, 0.9],
        "refused": 1,
        "gain": [0.02, 0.02],
    }
    rows = report.guard_rows(found)[1]
    assert rows[0] == [guard.FAIR, "2", "0.80 (0.70 to 0.90)", "1", "+2.0, +2.0"]
    assert rows[1] == [guard.SHIFTED, "0", "–", "0", "–"]


def test_few_labels_are_compared_in_the_same_cells():
    cells = {
        "a ko": {few.LABELS: {"0": 0.5, "10": 0.6}, few.AND_TEXT: {"0": 0.55, "10": 0.7}},
        "b ko": {few.LABELS: {"0": 0.7}, few.AND_TEXT: {"0": 0.7}},
    }
    rows = report.few_rows(cells)[1]
    assert rows[0][1:4] == ["2", "0.600", "+0.0, worst +0.0"]
    assert rows[1][1:] == ["1", "0.600", "+10.0, worst +10.0", "0.700", "+20.0, worst +20.0"]


def test_a_part_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "KEPT", tmp_path / "gap.json")
    assert run.kept("a", lambda x: {"row": np.array([x])}, 1) == {"row": [1]}
    assert run.kept("a", lambda x: pytest.fail("measured again"), 1) == {"row": [1]}
    assert json.loads((tmp_path / "gap.json").read_text()) == {"a": {"row": [1]}}
