"""What the benchmarks compute from their measurements, and the ratios of a small run."""

import numpy as np
import pytest

from benchmarks._lib.data import draw
from benchmarks.grid import report as grid_report
from benchmarks.grid.methods import AUTO, BRIDGE, CEILING, NONE, STRAIGHT
from benchmarks.smoke import BOUNDS, outside


def cells(**scores):
    """Cells of Korean with USE: "method pairs" to a score of SIB-200."""
    return grid_report.Cells(
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
    found = grid_report.Cells(
        {
            f"USE/itself/ja/spectral/300/{seed}": {"sib200": a, "debian_section": b}
            for seed, (a, b) in enumerate([(0.4, 0.6), (0.6, 0.8)])
        }
    )
    # There is no Japanese X-RiSAWOZ. Means of the seeds: 0.5 and 0.7.
    tasks = ["sib200", "debian_section", "xrisawoz_domain"]
    mean, deviation = found.mean("USE", "itself", "ja", "spectral", 300, tasks)
    assert mean == pytest.approx(0.6)
    assert deviation == pytest.approx(np.sqrt(0.02))
    assert found.mean("USE", "itself", "ko", "spectral", 300, tasks) is None


def test_regret_is_to_the_best_mean_of_the_row_and_no_alignment_counts():
    found = cells(**{f"{NONE}_0": [0.70], f"{AUTO}_300": [0.6, 0.7], "Procrustes_300": [0.5, 0.5]})
    row = next(r for r in grid_report.regrets(found) if r["score"] == "sib200")
    assert (row["best"], row["pairs"], row["score"]) == (NONE, 300, "sib200")
    assert row["regret"] == pytest.approx(0.05)
    assert row["over_none"] == pytest.approx(-0.05)


def test_intervals_hold_the_middle_of_the_draws_and_not_the_value_itself():
    value, low, high = grid_report.interval(np.array([7.0, *np.linspace(0, 1, 101)]))
    assert (value, low, high) == (7.0, pytest.approx(0.025), pytest.approx(0.975))


def test_headline_compares_the_same_rows():
    right = {STRAIGHT: "0001", BRIDGE: "0111", CEILING: "1111", NONE: "0011"}
    found = {}
    for lang in ("ko", "ja", "zh"):
        for method, digits in right.items():
            system = "itself" if method == NONE else "MiniLM"
            found[f"USE/{system}/{lang}/{method}/0/0"] = {"hits": {"sib200": digits}}
    ((name, gains),) = grid_report.headline(grid_report.Cells(found)).items()
    assert name == "USE into MiniLM"
    assert gains["mean"]["gain_straight"][0] == pytest.approx(0.5)
    assert gains["ko"]["gain_unaligned"][0] == pytest.approx(0.25)
    assert gains["ko"]["recovered"][0] == pytest.approx(0.75)
    # Where both rows are right or wrong together no draw can tell them apart, so that the gain
    # over no alignment is never below zero here.
    assert gains["ko"]["gain_unaligned"][1] >= 0


def test_a_ratio_out_of_its_bounds_is_named():
    assert outside({"a": 1.0, "b": 2.0}, {"a": (0.5, None), "b": (None, 2.0)}) == []
    assert outside({"a": 0.4, "b": 2.1}, {"a": (0.5, None), "b": (None, 2.0)}) == ["a", "b"]
    assert outside({"a": float("nan")}, {"a": (0.5, None)}) == ["a"]


@pytest.mark.data
def test_ratios_of_a_small_run(data_folder):
    from benchmarks import smoke

    ratios = smoke.main()
    assert set(ratios) == set(BOUNDS)
    assert outside(ratios, BOUNDS) == []
