"""What the benchmarks of costs compute from their times, at sizes that take no time."""

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks._lib.data import random_pairs
from benchmarks._lib.machine import blas_threads
from benchmarks._lib.tables import read_results
from benchmarks._lib.timing import in_own_process, in_turns, ratio, seconds
from benchmarks.costs import fits
from langalign_sk import LinearAligner

CASE = {
    "method": "auto",
    "pairs": 3_000,
    "spaces": "two spaces",
    "threads": 1,
    "turns": 5,
    "seconds": 3.1,
    "reference": fits.FLOOR,
    "reference_seconds": 0.0534,
    "ratio": 58.052,
}


def test_a_ratio_is_the_median_of_those_of_the_turns():
    # 2, 1 and 3; the ratio of the medians would be 4 / 3.
    assert ratio([2.0, 4.0, 9.0], [1.0, 4.0, 3.0]) == 2.0
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_functions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = in_turns(functions, turns=3, number=2)
    assert "".join(calls) == "aabb" * 3
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}


def test_a_call_gives_its_result_with_its_seconds():
    taken, result = seconds(divmod, 7, 2)
    assert result == (3, 1)
    assert taken >= 0


def test_a_process_has_the_threads_that_are_asked_for(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert in_own_process(blas_threads, threads=1) == 1


@pytest.mark.slow
def test_a_process_that_fails_says_why():
    with pytest.raises(SystemExit, match="KeyError: 'x'"):
        in_own_process(fits.measure_case, "x", 10, 1, 1, fits.FLOOR, 1, 2)


def test_a_second_space_is_the_first_one_rotated():
    X, Y = random_pairs(50, 4)
    same, rotated = random_pairs(50, 4, spaces=2)
    np.testing.assert_array_equal(same, X)
    assert np.abs(rotated - Y).max() > 0.1
    # A rotation keeps all products between rows. Of float32, sums of four products.
    scale = np.abs(Y @ Y.T).max()
    np.testing.assert_allclose(
        rotated @ rotated.T, Y @ Y.T, rtol=0, atol=16 * np.finfo(np.float32).eps * scale
    )


def test_procrustes_of_scipy_is_the_same_map():
    X, Y = random_pairs(200, 6)
    rotation = fits.scipy_procrustes(X, Y)
    aligner = LinearAligner("procrustes").fit(X, Y)
    # Entries of a rotation are at most 1; both take a decomposition of float32.
    atol = 100 * np.finfo(np.float32).eps
    np.testing.assert_allclose(aligner.coef_, rotation, rtol=0, atol=atol)


@pytest.mark.parametrize("case", fits.CASES, ids=lambda case: f"{case.method} {case.pairs}")
def test_every_case_can_be_measured(case):
    *_, reference, _ = case
    result = fits.measure_case(case.method, 60, case.spaces, 1, reference, turns=3, width=4)
    assert set(result) == set(CASE)
    assert (result["method"], result["pairs"], result["turns"]) == (case.method, 60, 3)
    assert all(result[key] > 0 for key in ("seconds", "reference_seconds", "ratio"))


def test_the_table_of_fits_shows_the_ratio_beside_both_times():
    text = fits.table({"machine": "a machine", "width": 512, "cases": [CASE]})
    rows = [line.strip(" *-") for line in text.splitlines()]
    assert rows[13:21] == [
        "auto",
        "3,000",
        "two spaces",
        "1",
        "3.100",
        "``X.T @ X``, ``Y.T @ Y``, ``X.T @ Y``",
        "0.053",
        "58.05",
    ]
    assert text.endswith("Machine: a machine.\n")


def test_fits_alone_leave_the_other_results_of_scale(monkeypatch):
    kept, pages = {}, {}
    monkeypatch.setattr("sys.argv", ["benchmarks", "scale", "--only", "fit"])
    measured = {"machine": "another machine", "width": 512, "cases": [CASE]}
    monkeypatch.setattr(fits, "measure", lambda: measured)
    monkeypatch.setattr(
        "benchmarks._lib.tables.write_results",
        lambda name, results, depth=None: kept.update({name: results}) or results,
    )
    monkeypatch.setattr("benchmarks._lib.tables.write_page", pages.__setitem__)
    before = read_results("scale")
    command.main()
    assert kept["scale"] == before | {"fit": measured}
    assert "58.05" in pages["scale"]
    assert f"Machine: {before['machine']}.\n" in pages["scale"]
    assert "Machine: another machine.\n" in pages["scale"]


@pytest.mark.parametrize(
    "arguments", [["grid", "--only", "fit"], ["scale", "--only", "search"], ["grid", "--smoke"]]
)
def test_options_of_another_benchmark_are_refused(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "goes with" in capsys.readouterr().err
