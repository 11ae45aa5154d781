"""Sabotage, counts and bounds of the benchmark of the checks of a fit."""

import numpy as np
import pytest

from benchmarks.__main__ import ONLY, SCORES
from benchmarks.scores import trust


def cell(source, kind, at_least, *, sharp=True, otherwise=False, noticed=False):
    return {
        "source": source,
        "kind": kind,
        "at_least": at_least,
        "sharp": sharp,
        "otherwise": otherwise,
        "noticed": noticed,
    }


@pytest.mark.parametrize("share", [0.1, 0.3], ids="{:.0%}".format)
def test_mismatched_rows_are_as_many_as_said(share):
    rows = trust.mismatched(200, share, np.random.default_rng(0))
    assert sorted(rows) == list(range(200))
    assert np.count_nonzero(rows != np.arange(200)) == share * 200


def test_blocks_and_repeats_by_hand():
    rng = np.random.default_rng(0)
    assert trust.block(6, 2, 5).tolist() == [0, 1, 4, 2, 3, 5]
    repeats = trust.ORDERS["every third English row repeats the one before"]
    assert repeats(6, rng).tolist() == [0, 1, 1, 3, 4, 4]
    assert trust.ORDERS["shifted by a row"](4, rng).tolist() == [3, 0, 1, 2]


def test_bound_of_a_source_is_chosen_by_the_others():
    cells = [cell("a", trust.SOUND, 0.02), cell("b", trust.SOUND, 0.0)]
    assert trust.without_source(cells, True, np.array([0.01, 0.03])) == {"a": 0.01, "b": 0.03}


def test_fits_are_noticed_by_bounds_that_their_source_had_no_part_in():
    cells = [
        cell("a", trust.SOUND, 0.02),
        cell("b", trust.SOUND, 0.0),
        cell("b", "shuffled", 0.021, noticed=True),
        cell("b", "shuffled", 0.9, sharp=False, noticed=True),
        cell("b", "shuffled", 0.0, otherwise=True, noticed=True),
    ]
    chosen = trust.by_other_sources(cells)
    # The sound pairs of b allow the least bound, those of a one that they do not exceed.
    assert chosen["bounds"] == [0.005, 0.02]
    found = [c["noticed without its source"] for c in cells]
    assert found == [True, False, True, True, True]
    assert trust.counts(cells, ("kind",)) == {trust.SOUND: [0, 1, 2], "shuffled": [3, 3, 3]}


def test_shares_in_brackets_only_where_they_differ():
    assert trust.share([1, 1, 4]) == "0.250"
    assert trust.share([1, 2, 4]) == "0.250 (0.500)"


def test_every_benchmark_of_scores_can_be_named_alone():
    assert ONLY["scores"] == SCORES
    assert {"trust", "quality", "accuracy"} <= {*SCORES}
