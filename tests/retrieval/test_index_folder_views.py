"""Saved indexes of several views, and of centred ones."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualRetriever
from tests.retrieval import references
from tests.retrieval.folders import (
    IDS,
    assert_no_other_files,
    change_manifest,
    file_of,
    named,
    rewrite,
)
from tests.retrieval.references import SCORINGS
from tests.retrieval.toy import every_kind, fitted_aligner, of_kind
from tests.toy import ENGLISH, KOREAN, ToyEncoder

RNG = np.random.default_rng(1)
# Rows of two views; a mean that is far from zero is there to be subtracted.
D, Q, BANK, MORE = (
    [(RNG.normal(size=(n, width)) + 0.5).astype(np.float32) for width in (8, 5)]
    for n in (300, 12, 130, 9)
)
HUB = {"hub_neighbors": 4, "temperature": 0.1}


def retriever_of(kind="exact", n_views=2, **parameters):
    return of_kind(kind, aligner=[None] * n_views, **{"centre": True, **HUB, **parameters})


def fitted(kind="exact", **parameters):
    return retriever_of(kind, **parameters).fit(D, ids=IDS, query_bank=BANK)


def fitted_alone(**parameters):
    retriever = CrossLingualRetriever(**{"centre": True, **HUB, **parameters})
    return retriever.fit(D[0], ids=IDS, query_bank=BANK[0])


def assert_equal(retriever, other, queries=Q, k=4):
    """Two retrievers answer the same, to the last bit."""
    for ours, theirs in zip(
        retriever.kneighbors(queries, k), other.kneighbors(queries, k), strict=True
    ):
        assert_array_equal(ours, theirs)
    assert retriever.ids_ == other.ids_
    assert retriever.documents_ == other.documents_


def assert_close(retriever, other):
    """The same but for the sums of products, which depend on the blocks of rows."""
    references.assert_same(retriever, other, Q, 4)


def manifest_of(folder):
    return json.loads((folder / "index.json").read_bytes())


@every_kind
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("centre", [True, False])
def test_round_trip_of_embeddings(kind, scoring, centre, tmp_path):
    parameters = {"scoring": scoring, "centre": centre}
    retriever = fitted(kind, **parameters)
    retriever.save_index(tmp_path)
    assert_no_other_files(tmp_path)
    opened = retriever_of(kind, **parameters)
    assert opened.open_index(tmp_path, verify=True) is opened
    assert all(isinstance(view.index.rows.blocks[0], np.memmap) for view in opened._state.views)
    assert_equal(opened, retriever)
    # Changes go on as they would have gone, in all views.
    for each in (opened, retriever):
        each.add(MORE, ids=[f"new {i}" for i in range(9)]).remove([*IDS[:40], "new 3"])
    assert_equal(opened, retriever)
    before = named(tmp_path)
    opened.save_index(tmp_path)
    assert_no_other_files(tmp_path)
    assert named(tmp_path) & before == {"index.json"}
    again = retriever_of(kind, **parameters).open_index(tmp_path)
    assert [len(view.index.rows.blocks[0]) for view in again._state.views] == [268, 268]
    assert_close(again, retriever)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("as_list", [True, False])
def test_round_trip_of_a_centred_view(scoring, as_list, tmp_path):
    aligner = [None] if as_list else None
    retriever = fitted_alone(aligner=aligner, scoring=scoring)
    retriever.save_index(tmp_path)
    assert manifest_of(tmp_path)["format_version"] == 2
    opened = CrossLingualRetriever(aligner, scoring=scoring, **HUB).open_index(tmp_path)
    assert opened.n_features_in_ == 8
    assert opened.report_.views == retriever.report_.views
    assert opened.report_.n_bank == retriever.report_.n_bank == 130
    for each in (opened, retriever):
        each.remove(IDS[:5]).add(MORE[0], ids=[*range(1000, 1009)])
    assert_equal(opened, retriever, Q[0])


def test_a_view_alone_stays_in_the_first_format(tmp_path):
    for aligner in (None, [None]):
        retriever = CrossLingualRetriever(aligner, scoring="csls").fit(D[0], query_bank=BANK[0])
        retriever.save_index(tmp_path)
        manifest = manifest_of(tmp_path)
        assert list(manifest) == [
            "format",
            "format_version",
            "n_documents",
            "next_id",
            "width",
            "is_text",
            "backend",
            "backend_params",
            "hubs",
            "aligner",
            "sha256",
            "files",
        ]
        assert manifest["format_version"] == 1
        assert list(manifest["files"]) == ["rows", "documents", "bank", "level"]
        for opener in (None, [None]):
            opened = CrossLingualRetriever(opener, scoring="csls").open_index(tmp_path)
            assert_equal(opened, retriever, Q[0])


def test_documents_are_saved_once(tmp_path):
    fitted("exact", scoring="csls").save_index(tmp_path)
    manifest = manifest_of(tmp_path)
    assert manifest["format_version"] == 2
    of_view = ("rows", "bank", "bank_languages", "lengths", "languages", "means")
    of_views = {f"{name}_{i}" for name in of_view for i in range(2)}
    assert manifest["files"].keys() == {"documents", "level"} | of_views


@pytest.mark.parametrize("scoring", ["cosine", "csls", "query_bank"])
def test_texts_of_several_encoders(scoring, tmp_path):
    aligners = [
        fitted_aligner(encoder=ToyEncoder(width=width, shift=shift)).freeze()
        for width, shift in ((12, 3.0), (9, 6.0))
    ]
    parameters = {"scoring": scoring, "centre": True, "n_neighbors": 3, **HUB}
    retriever = CrossLingualRetriever(aligners, **parameters)
    retriever.fit(ENGLISH[:90], query_bank=KOREAN[90:]).remove([3, 50])
    retriever.save_index(tmp_path)
    opened = CrossLingualRetriever(aligners, **parameters).open_index(tmp_path)
    assert opened.aligner_ == aligners
    assert_equal(opened, retriever, KOREAN[:20], 3)
    assert str(opened.report_).splitlines()[:2] == str(retriever.report_).splitlines()[:2]
    assert opened.add([ENGLISH[95]]).search(KOREAN[95], 1)["text"].tolist() == [ENGLISH[95]]
    other = CrossLingualRetriever(aligners[::-1], **parameters)
    with pytest.raises(ValueError, match=r"View 0 of the index in .* was built with another"):
        other.open_index(tmp_path)


@pytest.mark.parametrize("widths", [(12,), (12, 9)])
def test_means_of_pairs_alone(widths, tmp_path):
    aligners = [fitted_aligner(encoder=ToyEncoder(width=width)).freeze() for width in widths]
    retriever = CrossLingualRetriever(aligners, centre=True, n_neighbors=3).fit(ENGLISH[:50])
    assert all(view.centring.n_queries == 0 for view in retriever._state.views)
    retriever.save_index(tmp_path)
    opened = CrossLingualRetriever(aligners, n_neighbors=3).open_index(tmp_path)
    assert_equal(opened, retriever, KOREAN[:20], 3)
    for each in (opened, retriever):
        each.partial_adapt(KOREAN[:9])
    assert_equal(opened, retriever, KOREAN[:20], 3)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_views", [1, 2])
def test_queries_are_taken_in_after_opening(scoring, n_views, tmp_path):
    retriever = fitted(scoring=scoring) if n_views > 1 else fitted_alone(scoring=scoring)
    retriever.save_index(tmp_path)
    opened = CrossLingualRetriever(retriever.aligner, scoring=scoring, **HUB).open_index(tmp_path)
    queries = Q if n_views > 1 else Q[0]
    for each in (opened, retriever):
        each.partial_adapt(queries)
    assert_equal(opened, retriever, queries)
    assert opened.report_.n_bank == 142
    opened.save_index(tmp_path)
    again = CrossLingualRetriever(retriever.aligner, scoring=scoring, **HUB).open_index(tmp_path)
    assert_equal(again, retriever, queries)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize(
    "later", [{"weights": [1, 3]}, {"fusion": "rank"}, {"n_candidates": 5}, {"hub_neighbors": 2}]
)
def test_the_search_follows_the_retriever_at_hand(scoring, later, tmp_path):
    fitted(scoring="csls").save_index(tmp_path)
    opened = retriever_of(scoring=scoring, **later)
    if later == {"fusion": "rank"} and scoring != "cosine":
        with pytest.raises(ValueError, match="goes by the ranks of cosines"):
            opened.open_index(tmp_path)
        return
    opened.open_index(tmp_path)
    assert_close(opened, fitted(scoring=scoring, **later))
    assert opened.report_.views == fitted(scoring=scoring, **later).report_.views


def test_weights_that_are_not_given_are_those_of_the_index(tmp_path):
    retriever = fitted(weights=[1, 3], scoring="csls")
    retriever.save_index(tmp_path)
    opened = retriever_of(scoring="csls").open_index(tmp_path)
    assert_equal(opened, retriever)
    assert opened.report_.fusion == "mean of cosines, weights as saved"
    opened = retriever_of(scoring="auto").open_index(tmp_path)
    assert opened.scoring_ == "csls"
    assert_equal(opened, retriever)


def test_ranks_are_by_cosine_after_opening_too(tmp_path):
    fitted(scoring="csls").save_index(tmp_path)
    opened = retriever_of(scoring="auto", fusion="rank").open_index(tmp_path)
    assert opened.scoring_ == "cosine"
    assert_close(opened, fitted(scoring="cosine", fusion="rank"))


def test_other_parameters(tmp_path):
    fitted().save_index(tmp_path / "two")
    fitted_alone().save_index(tmp_path / "one")
    fitted(centre=False).save_index(tmp_path / "plain")
    CrossLingualRetriever().fit(D[0]).save_index(tmp_path / "first")
    for n_views, folder, built in ((1, "two", 2), (3, "two", 2), (2, "one", 1), (2, "first", 1)):
        match = f"was built with {built} aligners, and the retriever has {n_views}"
        with pytest.raises(ValueError, match=match):
            retriever_of(n_views=n_views).open_index(tmp_path / folder)
    for centre, folder in ((False, "two"), (True, "plain")):
        match = f"was built with centre={not centre}, and the retriever has {centre}"
        with pytest.raises(ValueError, match=match):
            retriever_of(centre=centre).open_index(tmp_path / folder)
        retriever_of(centre="auto").open_index(tmp_path / folder)
    with pytest.raises(ValueError, match="was built with centre=False, and the retriever has True"):
        CrossLingualRetriever(centre=True).open_index(tmp_path / "first")
    with pytest.raises(ValueError, match=r'no query bank.*scoring="cosine"'):
        retriever_of(scoring="csls").open_index(tmp_path / "two")
    with pytest.raises(ValueError, match="weights must be 2 numbers"):
        retriever_of(weights=[1]).open_index(tmp_path / "two")
    of_kind("flat").fit(D[0]).save_index(tmp_path / "flat")
    with pytest.raises(ValueError, match=r"was built with backend='exact'.*'faiss'"):
        retriever_of("flat").open_index(tmp_path / "two")


FILES = [f"{name}_{i}" for name in ("rows", "bank", "bank_languages") for i in range(2)]
FILES += ["lengths_1", "languages_0", "means_0", "means_1", "level", "documents"]


@pytest.mark.parametrize(
    ("kind", "file"),
    [*(("exact", file) for file in FILES), ("flat", "faiss_1"), ("hnswlib", "hnsw_0")],
)
@pytest.mark.parametrize("how", ["short", "missing", "flipped", "unnamed"])
def test_a_damaged_file(kind, file, how, tmp_path):
    fitted(kind, scoring="csls").save_index(tmp_path)
    path = file_of(tmp_path, file)
    content = path.read_bytes()
    if how == "short":
        path.write_bytes(content[:-1])
    elif how == "missing":
        path.unlink()
    elif how == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        change_manifest(tmp_path, lambda manifest: manifest["files"].pop(file) and manifest)
    opener = retriever_of(kind, scoring="csls").fit([2 * rows[:9] for rows in D], query_bank=BANK)
    before = opener.kneighbors(Q, 4)
    match = "index.json' is damaged" if how == "unnamed" else path.name
    with pytest.raises(ValueError, match=re.escape(match)):
        opener.open_index(tmp_path, verify=True)
    for now, then in zip(opener.kneighbors(Q, 4), before, strict=True):
        assert_array_equal(now, then)


@pytest.mark.parametrize("file", ["means_1", "lengths_1"])
@pytest.mark.parametrize("value", [1e30, -1e30, 5.0])
def test_means_and_lengths_that_no_unit_rows_have(file, value, tmp_path):
    fitted(scoring="csls").save_index(tmp_path)
    path = file_of(tmp_path, file)
    rows = np.load(path)
    rows.flat[0] = value
    np.save(path, rows)
    rewrite(tmp_path, file, path.read_bytes())
    with pytest.raises(ValueError, match="is damaged"):
        retriever_of(scoring="csls").open_index(tmp_path)


def places(node, path=()):
    """All places in a tree of JSON but the descriptions of files."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if key not in ("files", "format", "name", "sha256"):
            yield (*path, key)
            if isinstance(child, dict | list):
                yield from places(child, (*path, key))


WRONG = [None, True, -1, 0, 10**6, 10**400, -1.0, float("nan"), float("inf"), "", "ko"]
WRONG += [[], [[]], ["a", "a"], [1], {}, {"ko": 0}, {"ko": 1 << 60}, Ellipsis]


@pytest.mark.parametrize("value", WRONG)
def test_a_manifest_with_a_wrong_value(value, tmp_path):
    """Every place in turn: an error that names the folder, or answers that are numbers."""
    retriever = fitted(scoring="csls")
    retriever.save_index(tmp_path)
    whole = manifest_of(tmp_path)
    for path in [*places(whole)]:
        manifest = json.loads(json.dumps(whole))
        inner = manifest
        for key in path[:-1]:
            inner = inner[key]
        if value is Ellipsis:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
        (tmp_path / "index.json").write_text(json.dumps(manifest))
        try:
            opened = retriever_of(scoring="csls", centre="auto").open_index(tmp_path)
        except ValueError as error:
            assert str(tmp_path) in str(error), path  # noqa: PT017
        else:
            distances, _ = opened.kneighbors(Q, 4)
            assert np.isfinite(distances).all(), path


@pytest.mark.parametrize("file", ["means_0", "lengths_1"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite(file, wrong, tmp_path):
    retriever = fitted()
    if file == "means_0":
        retriever._state.views[0].centring.prior["ko"] = np.full(8, wrong)
    else:
        retriever._state.views[1].lengths[5] = wrong
    retriever.save_index(tmp_path)
    with pytest.raises(ValueError, match=r"index\.json' is damaged"):
        retriever_of().open_index(tmp_path)


def test_a_language_that_is_not_in_the_list(tmp_path):
    fitted().save_index(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest["views"][0].update(languages=[]))
    with pytest.raises(ValueError, match=r"index\.json' is damaged"):
        retriever_of().open_index(tmp_path)
