"""What the benchmarks compute from their measurements, and the ratios of a small run."""

import json
from importlib import import_module

import numpy as np
import pytest

from benchmarks import smoke
from benchmarks.__main__ import BENCHMARKS
from benchmarks._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT, STRAIGHT
from benchmarks._lib.data import draw
from benchmarks._lib.paths import PAGES, RESULTS, ROOT
from benchmarks._lib.tables import read_results, to_json
from benchmarks.grid import report as grid_report
from benchmarks.grid import summary as grid_summary
from benchmarks.grid.cells import MEAN, Cells
from benchmarks.grid.methods import AUTO, BRIDGE


def module_of(name):
    return import_module(f"benchmarks.{BENCHMARKS[name]}")


def cells(**scores):
    """Cells of Korean with USE: "method pairs" to a score of SIB-200."""
    return Cells(
        {
            f"USE/itself/ko/{name.replace('_', '/')}/{seed}": {"sib200": value}
            for name, values in scores.items()
            for seed, value in enumerate(values)
        }
    )


def test_draws_of_a_seed_lie_within_its_larger_ones():
    small, large = draw(50, 10, 3), draw(50, 40, 3)
    assert set(small) < set(large)
    assert len(set(large)) == 40
    assert set(draw(50, 10, 4)) != set(small)


def test_a_mean_is_over_the_tasks_of_the_language_and_then_over_seeds():
    found = Cells(
        {
            f"USE/itself/ja/spectral/300/{seed}": {"sib200": a, "debian_section": b}
            for seed, (a, b) in enumerate([(0.4, 0.6), (0.6, 0.8)])
        }
    )
    # There is no Japanese X-RiSAWOZ. Means of the seeds: 0.5 and 0.7.
    mean, deviation = found.mean("USE", "itself", "ja", "spectral", 300, MEAN)
    assert mean == pytest.approx(0.6)
    assert deviation == pytest.approx(np.sqrt(0.02))
    assert found.mean("USE", "itself", "ko", "spectral", 300, MEAN) is None


def test_regret_is_to_the_best_mean_of_the_row_and_no_alignment_counts():
    found = cells(
        **{f"{NO_ALIGNMENT}_0": [0.70], f"{AUTO}_300": [0.6, 0.7], "Procrustes_300": [0.5, 0.5]}
    )
    row = next(r for r in grid_summary.regrets(found) if r["score"] == "sib200")
    assert (row["best"], row["pairs"], row["score"]) == (NO_ALIGNMENT, 300, "sib200")
    assert row["regret"] == pytest.approx(0.05)
    assert row["over_none"] == pytest.approx(-0.05)


def test_intervals_hold_the_middle_of_the_draws_and_not_the_value_itself():
    value, low, high = grid_summary.interval(np.array([7.0, *np.linspace(0, 1, 101)]))
    assert (value, low, high) == (7.0, pytest.approx(0.025), pytest.approx(0.975))


def test_headline_compares_the_same_rows():
    right = {STRAIGHT: "0001", BRIDGE: "0111", ENGLISH_ROWS: "1111", NO_ALIGNMENT: "0011"}
    found = {}
    for lang in ("ko", "ja", "zh"):
        for method, digits in right.items():
            system = "itself" if method == NO_ALIGNMENT else "MiniLM"
            found[f"USE/{system}/{lang}/{method}/0/0"] = {"hits": {"sib200": digits}}
    ((name, gains),) = grid_summary.headline(Cells(found)).items()
    assert name == "USE into MiniLM"
    assert gains["mean"]["gain_straight"][0] == pytest.approx(0.5)
    assert gains["ko"]["gain_unaligned"][0] == pytest.approx(0.25)
    assert gains["ko"]["recovered"][0] == pytest.approx(0.75)
    # Where both rows are right or wrong together no draw can tell them apart, so that the gain
    # over no alignment is never below zero here.
    assert gains["ko"]["gain_unaligned"][1] >= 0


def test_a_summary_has_the_means_of_the_cells_and_reads_them_by_name():
    found = cells(**{f"{NO_ALIGNMENT}_0": [0.7], "ridge_300": [0.5, 0.7], f"{AUTO}_300": [0.7]})
    kept = json.loads(to_json({"machine": "m", **grid_summary.summarize(found)}, depth=6))
    summary = grid_summary.Summary(kept)
    assert summary.mean("USE", "itself", "ko", NO_ALIGNMENT, 0, "sib200") == (0.7, None)
    # By task only without pairs, and the mean over tasks needs all tasks of the language.
    assert summary.mean("USE", "itself", "ko", "ridge", 300, "sib200") is None
    assert summary.mean("USE", "itself", "ko", "ridge", 300, MEAN) is None
    row = next(row for row in summary.auto if row["score"] == "sib200")
    assert (row["best"], row["pairs"], row["auto"]) == (NO_ALIGNMENT, 300, 0.7)

    tasks = {"sib200": 0.5, "debian_section": 0.8, "xrisawoz_domain": 0.2}
    more = {task: value + 0.1 for task, value in tasks.items()}
    pairs = Cells({"e5/itself/zh/ridge/1000/0": tasks, "e5/itself/zh/ridge/1000/1": more})
    summary = grid_summary.Summary({"machine": "m", **grid_summary.summarize(pairs)})
    # Means of the seeds .5 and .6, which lie sqrt(.005) from theirs.
    assert summary.mean("e5", "itself", "zh", "ridge", 1_000, MEAN) == (0.55, 0.071)
    assert summary.mean("e5", "itself", "zh", "ridge", 100, MEAN) is None
    assert summary.mean("e5", "itself", "zh", "ridge", 3_000, MEAN) is None


def test_a_cell_is_measured_once_and_kept(tmp_path):
    path, place = tmp_path / "cells.json", ("USE", "itself", "ko", "ridge", 300, 0)
    Cells(path=path).keep(place, lambda: {"sib200": 0.5})
    again = Cells(path=path)
    again.keep(place, lambda: pytest.fail("measured again"))
    assert again.get(*place)["sib200"] == 0.5


def test_json_has_a_line_for_every_row():
    text = to_json({"a": {"b": {"c": [1, 2]}}, "rows": [[1, 2], [3, 4]]}, depth=2)
    assert text.splitlines() == [
        "{",
        '"a": {',
        '"b": {"c": [1, 2]}',
        "},",
        '"rows": [',
        "[1, 2],",
        "[3, 4]",
        "]",
        "}",
    ]


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if hasattr(module_of(name), "pages")])
def test_pages_follow_from_the_committed_results(name):
    module, results = module_of(name), read_results(name)
    for page, text in module.pages(results).items():
        assert (PAGES / f"{page}.rst").read_text(encoding="utf-8") == text, page
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for part, text in module.readme(results).items() if hasattr(module, "readme") else ():
        if f"<!-- {part} -->" in readme:
            assert f"<!-- {part} -->\n{text}\n<!-- end {part} -->" in readme


def test_tables_of_the_grid_follow_from_the_committed_summary():
    summary = grid_summary.Summary(read_results("grid"))
    for name, text in grid_report.pages(summary).items():
        assert (PAGES / f"{name}.rst").read_text(encoding="utf-8") == text, name
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if "<!-- headline -->" in readme:
        assert grid_report.headline_of_readme(summary) in readme


def test_the_folder_explains_every_benchmark():
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name in BENCHMARKS if f"\n| `{name}` | " not in text] == []


def test_committed_results_are_summaries():
    sizes = {path.name: path.stat().st_size for path in RESULTS.iterdir()}
    assert {name: size for name, size in sizes.items() if size > 100_000} == {}


def test_a_ratio_out_of_its_bounds_is_named():
    assert smoke.outside({"a": 1.0, "b": 2.0}, {"a": (0.5, None), "b": (None, 2.0)}) == []
    assert smoke.outside({"a": 0.4, "b": 2.1}, {"a": (0.5, None), "b": (None, 2.0)}) == ["a", "b"]
    assert smoke.outside({"a": float("nan")}, {"a": (0.5, None)}) == ["a"]


def test_a_smoke_run_out_of_bounds_fails(monkeypatch, capsys):
    ratios = {name: low or high for name, (low, high) in smoke.BOUNDS.items()}
    monkeypatch.setattr(smoke, "measure", lambda: ratios)
    smoke.main()
    ratios["import_over_sklearn"] = 1_000.0
    with pytest.raises(SystemExit, match="out of bounds: import_over_sklearn"):
        smoke.main()
    assert "import_over_sklearn" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.data
def test_small_run_measures_every_ratio(data_folder, capsys):
    ratios = smoke.measure()
    smoke.show(ratios)
    shown = capsys.readouterr().out
    assert set(ratios) == set(smoke.BOUNDS)
    assert all(name in shown and np.isfinite(ratio) for name, ratio in ratios.items())
    # Seconds depend on what else the machine does: `python -m benchmarks run --smoke` checks them.
    assert smoke.outside(ratios, smoke.SCORES) == []
