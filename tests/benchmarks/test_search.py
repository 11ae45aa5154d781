"""What the benchmark of search computes, on toys."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from benchmarks.search import costs, known, measures, methods, report, sets, summary
from benchmarks.search.methods import BASELINE, SECOND
from benchmarks.search.sets import KINDS, SearchSet


def write(folder, path, rows):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")


@pytest.fixture
def toy():
    return SearchSet(
        [f"query {i}" for i in range(7)], np.arange(7), [f"text {i}" for i in range(7)]
    )


def test_equal_documents_are_one_and_keep_their_queries():
    found = sets.distinct(["a", "b", "c"], [0, 1, 2], ["same", "other", "same"])
    assert found.documents == ["same", "other"]
    assert found.gold.tolist() == [0, 1, 0]


def test_a_cap_draws_queries_and_keeps_all_documents(toy):
    few = sets.capped(toy, 3)
    assert few.documents == toy.documents
    assert len(few.queries) == 3
    assert few.queries == [f"query {i}" for i in few.gold]
    assert sets.capped(toy, 7) is toy


def test_a_title_asks_for_the_paragraphs_below_it(tmp_path):
    rows = [
        ("Lost paragraph.", "0"),
        ("tool for maps", "1"),
        ("It draws maps.", "2"),
        ("It prints them.", "3"),
        ("title of nothing", "4"),
        ("tool for clocks", "5"),
        ("It shows the time: local or not.", "6"),
    ]
    write(tmp_path, "parallel/ko/debian_desc.tsv", rows)
    queries, gold, documents = sets.packages(tmp_path, "ko")
    assert queries == ["1", "5"]
    assert [documents[i] for i in gold] == [
        "It draws maps. It prints them.",
        "It shows the time: local or not.",
    ]


def test_a_sentence_asks_for_the_page_that_holds_it(tmp_path):
    rows = [(f"english {i}.", f"target {i}.") for i in range(2 * sets.SENTENCES + 1)]
    write(tmp_path, "eval/ntrex/ja.tsv", rows)
    queries, gold, documents = sets.pages(tmp_path, "ja")
    assert len(documents) == 2
    assert len({*queries}) == 2 * sets.ASKED
    for query, page in zip(queries, gold, strict=True):
        assert query.replace("target", "english") in documents[page]


def test_a_hypothesis_asks_for_the_premise_that_entails_it(tmp_path):
    labels = ("entailment", "neutral", "entailment")
    for language in ("en", "zh"):
        rows = [(label, f"{language} p{i}", f"{language} h{i}") for i, label in enumerate(labels)]
        write(tmp_path, f"eval/nli/{language}_test.tsv", rows)
    found = sets.load(tmp_path, "premises", "zh")
    assert found.queries == ["zh h0", "zh h2"]
    assert [found.documents[i] for i in found.gold] == ["en p0", "en p2"]


def test_pairs_leave_out_the_source_of_the_set(tmp_path):
    for source in ("anki_tatoeba", "debian_desc"):
        write(tmp_path, f"parallel/ko/{source}.tsv", [(f"{source} english", f"{source} target")])
    assert sets.training_pairs(tmp_path, "ko", "debian_desc", 10) == [
        ("anki_tatoeba target", "anki_tatoeba english")
    ]
    assert len(sets.training_pairs(tmp_path, "ko", "", 10)) == 2


def test_measures_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores, gold = rng.normal(size=(40, 30)), rng.integers(30, size=40)
    order = np.argsort(-scores, axis=1)
    of_queries = measures.ranks(order[:, : measures.FOUND], gold)
    right = np.eye(30)[gold]
    expected = ndcg_score(right, scores, k=10)
    assert measures.ndcg_at_10(of_queries).mean() == pytest.approx(expected, rel=1e-12)
    assert measures.recall_at_1(of_queries).tolist() == (order[:, 0] == gold).tolist()
    found = [gold[i] in order[i, :10] for i in range(40)]
    assert measures.recall_at_10(of_queries).tolist() == found


def test_no_query_is_known_when_it_is_answered(toy):
    seen = []

    def answered(scored, bank):
        assert not {*scored.queries} & {*bank.queries}
        assert len(bank.queries) <= 2
        seen.extend(scored.queries)
        return scored.gold + 1

    out = methods.crosswise(toy, answered, 2)
    assert sorted(seen) == toy.queries
    assert out.tolist() == list(range(1, 8))


class ToyViews:
    """Aligners of toy encoders by view."""

    def __call__(self, view, name, language, found):
        return ToyAligner(5 if view == "USE" else 4)


class ToyAligner:
    """Rows of a text are those of its number."""

    def __init__(self, width):
        self.width = width

    def get_params(self, deep=True):
        return {"width": self.width}

    def set_params(self, width):
        self.width = width
        return self

    def fit(self, X, y=None, parallel=None):
        return self

    def transform(self, texts):
        seeds = [int(text.split()[1]) for text in texts]
        return np.array([np.random.default_rng(i).normal(size=self.width) for i in seeds])


@pytest.mark.parametrize("bank", [methods.NONE, methods.HALF, methods.BATCH])
def test_a_method_finds_the_documents_of_its_queries(bank):
    texts = [f"text {i}" for i in range(30)]
    toy = SearchSet(list(texts), np.arange(30), texts)
    method = methods.Method(("USE", "e5"), {"centre": False}, bank)
    assert methods.measure(method, ToyViews(), "tatoeba", "ko", toy) == {"ranks": "1" * 30}


def rows_of(text):
    return np.array([int(digit) for digit in text])


@pytest.fixture
def found():
    # Recall at 1 of the sets of three sources; the second encoder is better on packages alone.
    places = [("ntrex", "ko"), ("pages", "ko"), ("packages", "ko"), ("packages", "zh")]
    digits = {
        BASELINE: ("1110", "1100", "1000", "1000"),
        SECOND: ("1000", "1000", "1110", "1110"),
        "USE + e5": ("1110", "1110", "1100", "1111"),
    }
    return {
        method: {place: rows_of(text) for place, text in zip(places, of, strict=True)}
        for method, of in digits.items()
    }


def test_a_mean_is_over_languages_and_then_over_sets():
    values = {("a", "ko"): 0.2, ("a", "zh"): 0.4, ("b", "ko"): 0.6}
    assert summary.mean_over_sets(values) == pytest.approx((0.3 + 0.6) / 2)


def test_a_set_is_chosen_for_by_the_sets_of_other_sources(found):
    # ntrex and pages are of one source: packages alone chooses for both, and they for packages.
    ranks, chosen = summary.choose(found, (BASELINE, SECOND))
    assert chosen == {"ntrex": SECOND, "pages": SECOND, "packages": BASELINE}
    assert ranks["packages", "zh"].tolist() == [1, 0, 0, 0]


def test_the_better_encoder_is_that_of_each_set(found):
    better = summary.better_of(found, (BASELINE, SECOND))
    assert better["pages", "ko"] is found[BASELINE]["pages", "ko"]
    assert better["packages", "ko"] is found[SECOND]["packages", "ko"]


def test_gains_have_their_worst_set_and_cell(found):
    of = summary.compared(found["USE + e5"], summary.better_of(found, (BASELINE, SECOND)))
    # ntrex 0, pages +1 of 4, packages -1 and +1 of 4.
    assert of["gain"] == pytest.approx(25 / 3)
    assert of["set"] == ["ntrex", 0]
    assert of["cell"] == ["packages ko", -25]
    assert of["low"] <= of["gain"] <= of["high"]


def test_methods_are_read_where_all_cells_are_there():
    cells = {"a/x/ko": {"ranks": "1a0"}, "a/y/ko": {"ranks": "2"}, "b/x/ko": {"ranks": "1"}}
    found = summary.read_ranks(cells, ["a", "b"], [("x", "ko"), ("y", "ko")])
    assert list(found) == ["a"]
    assert found["a"]["x", "ko"].tolist() == [1, 10, 0]


def test_every_candidate_is_a_method():
    named = {name for of in summary.CHOICES.values() for name in of}
    assert named <= {*methods.METHODS}
    assert set(report.SHOWN) <= {*methods.METHODS}
    assert all(
        view.split(",")[0] in ("USE", "e5") for m in methods.METHODS.values() for view in m.views
    )


def test_rows_that_are_spread_out_have_length_one():
    rows = np.eye(4, dtype=np.float32)
    out = costs.spread_out(rows, 50)
    assert out.shape == (50, 4)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, rtol=1e-6)


def test_costs_are_ratios_of_every_turn():
    turns = {
        costs.ENCODING["USE"]: [2.0, 4.0],
        costs.ENCODING["e5"]: [6.0, 12.0],
        costs.ONE: [2.0, 4.0],
        costs.FUSED: [4.0, 8.0],
    }
    assert costs.ratios(turns) == {"fusion": 1.2, "four views over USE alone": 3.0}


def test_best_rows_of_other_benchmarks_are_above_no_alignment():
    best = known.best()
    assert {*best} == {"tatoeba", "ntrex"}
    assert all(
        0 < value <= 1 for of in best.values() for row in of.values() for value in row.values()
    )


def test_every_kind_says_what_it_is():
    assert all(kind.what and kind.source and kind.languages for kind in KINDS.values())
