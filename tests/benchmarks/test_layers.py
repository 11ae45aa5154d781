"""What the benchmark of layers computes, on toys."""

import pytest

from benchmarks._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT
from benchmarks.adapters import sizes
from benchmarks.scores import layers

from .toy import toy_rows


@pytest.fixture
def rows():
    return toy_rows()


def test_a_layer_is_fitted_on_its_draw_and_chosen_by_the_rest(rows):
    bench = rows.bench
    bench.scores = lambda lang, move: {
        "tatoeba": sizes.reverse(rows, lang, move)["tatoeba"],
        "sib200": float(bench.hits(lang, move, "sib200").mean()),
    }
    layer = layers.Layer(bench, rows.pairs)
    make = layers.CLOSED["Procrustes"]
    found = layers.cell(layer, "ko", "Procrustes", make, 0, n=40)
    assert found["recall"] == found["held_out"] == 1
    none = layers.cell(layer, "ko", NO_ALIGNMENT, None, 0, n=40)
    assert none["held_out"] < 1
    assert set(layers.cell(layer, "ko", ENGLISH_ROWS, None, 0)) == {"accuracy"}


def test_the_best_map_of_a_layer_is_that_of_held_out_pairs():
    score = {"recall": 0.5, "accuracy": 0.5}
    cells = {}
    for lang in ("ko", "ja", "zh"):
        for method, held_out, recall in ((NO_ALIGNMENT, 0.3, 0.4), ("ridge", 0.6, 0.5)):
            for seed in range(3):
                key = f"4/{lang}/{method}/{seed}"
                cells[key] = {**score, "held_out": held_out, "recall": recall}
        # Better on test rows, and not where the choice is made.
        cells[f"4/{lang}/spectral/0"] = {**score, "held_out": 0.5, "recall": 0.9}
    results = {"machine": "m", **layers.summarize(cells)}
    assert layers.best_of(results["means"]["4"]["ko"]) == "ridge"
    row = layers.by_language(results["means"])[1][0]
    assert row[:4] == ["4", "ko", "ridge", "0.400 / 0.500 (+0.100)"]
    assert "| 4 | 0.400 | 0.500 | 0.500 | 0.500 |" in layers.readme(results)["layers"]
    pages = layers.pages(results)
    assert pages["layers"].endswith("Machine: m.\n")
    assert layers.every_cell(results["means"])[1][-1][:3] == ["4", "spectral", "0.900"]
    assert "spectral" in pages["layers_tables"]


def test_recall_over_the_layers_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    line = {"recall": 0.4, "accuracy": 0.5, "held_out": 0.3}
    cells = {
        f"{layer}/{lang}/{method}/0": line
        for layer in (2, 4)
        for lang in ("ko", "ja", "zh")
        for method in (NO_ALIGNMENT, "ridge")
    }
    path = tmp_path / "layers.svg"
    layers.plot(layers.summarize(cells), path)
    assert "best by held-out pairs" in path.read_text(encoding="utf-8")


def test_several_layers_are_a_row_of_their_own():
    assert layers.ROWS[:2] == ("2", "4")
    assert layers.ROWS[-2:] == ("mean of 6, 8, 10, 12", layers.PLAIN)
    assert layers.source("12").name == layers.E5
