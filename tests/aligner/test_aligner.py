"""CrossLingualAligner as a user meets it: what it learns, and what scikit-learn asks of it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from langalign_sk import CrossLingualAligner, LinearAligner, ParallelCorpus, SentenceEncoder
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, ToyEncoder

LABELS = np.where(EnglishOnly().encode(ENGLISH)[:, 0] > 0, "up", "down")


def toy(**parameters):
    return CrossLingualAligner(**{"encoder": ToyEncoder(), "random_state": 0} | parameters)


def frames(library):
    return library.DataFrame({"ko": KOREAN, "en": ENGLISH})


# What X decides


@pytest.mark.parametrize(
    "pairs",
    [
        PAIRS,
        [list(p) for p in PAIRS],
        np.array(PAIRS),
        np.array(PAIRS, dtype=object),
        frames(pd),
        frames(pl),
        frames(pd)[["en", "ko"]],
        pd.DataFrame({"EN": ENGLISH, "other": 1, "Ko": KOREAN}),
        ParallelCorpus(KOREAN, ENGLISH, target_lang="ko"),
    ],
    ids=[
        "tuples",
        "lists",
        "str-array",
        "object-array",
        "pandas",
        "polars",
        "swapped-columns",
        "upper",
        "corpus",
    ],
)
def test_every_form_of_pairs_gives_the_map_of_the_vectors(pairs):
    encoder = ToyEncoder()
    X, Y = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    expected = LinearAligner("procrustes").fit(X, Y)
    aligner = toy(method="procrustes").fit(pairs)
    assert_allclose(aligner.language_map_.coef_, expected.coef_, atol=1e-6)
    assert_allclose(aligner.transform(KOREAN), expected.transform(X), atol=1e-5)


@pytest.mark.parametrize(
    "parallel",
    [
        (KOREAN, ENGLISH),
        (np.array(KOREAN), pd.Series(ENGLISH)),
        PAIRS,
        frames(pd),
        ParallelCorpus(KOREAN, ENGLISH, target_lang="ko-KR"),
        {"ko": (KOREAN, ENGLISH)},
        {"ko": ParallelCorpus(KOREAN, ENGLISH, target_lang="ko")},
    ],
    ids=["sides", "mixed-sides", "tuples", "frame", "corpus", "dict", "dict-of-corpus"],
)
@pytest.mark.parametrize("task", [["a task", "of English"], ["한국어 과제"], ["both", "둘 다"]])
def test_parallel_gives_the_same_map_whatever_the_task_text(parallel, task):
    expected = toy(method="ridge", alpha=1.0).fit(PAIRS)
    aligner = toy(method="ridge", alpha=1.0).fit(task, ["x"] * len(task), parallel=parallel)
    assert_allclose(aligner.transform(KOREAN[:5]), expected.transform(KOREAN[:5]), atol=1e-6)


def test_embeddings_with_english_embeddings():
    encoder = ToyEncoder()
    X, Y = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    aligner = toy(encoder=encoder, method="ridge", alpha=1.0).fit(X, Y)
    text = toy(method="ridge", alpha=1.0).fit(PAIRS)
    assert aligner.n_features_in_ == 12
    assert_allclose(aligner.transform(X), text.transform(KOREAN), atol=1e-5)
    assert_allclose(aligner.transform(KOREAN), text.transform(KOREAN), atol=1e-5)
    assert aligner.score(X, Y) == pytest.approx(text.score(PAIRS))


def test_corpus_by_name_and_by_path(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(f"{en}\t{ko}" for ko, en in PAIRS), encoding="utf-8")
    from_file = toy(method="ridge", alpha=1.0, corpus=path).fit(["a task"])
    expected = toy(method="ridge", alpha=1.0).fit(PAIRS)
    assert_allclose(from_file.language_map_.coef_, expected.language_map_.coef_, atol=1e-6)
    starter = toy(method="ridge", alpha=1.0).fit(["a task"])
    assert starter.alignment_report_.evaluations[0].n_fit == 640


def test_no_rows_for_the_language_is_an_identity_and_a_warning(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("en,ja\nyes,はい\nno,いいえ\n", encoding="utf-8")
    for aligner in (toy(corpus=path), toy(target_lang="th")):
        with pytest.warns(UserWarning, match="no translation pairs for '(ko|th)'.*identity"):
            aligner.fit(["a task"])
        assert aligner.method_ == "identity"
    korean = toy(corpus=path).set_params(corpus=None).fit(["a task"])
    assert_array_equal(korean.transform(KOREAN[:3]), ToyEncoder().encode(KOREAN[:3]))
    assert "no translation pairs" in str(korean.alignment_report_)


# What transform does


def test_english_rows_pass_unchanged_and_rows_of_both_may_mix():
    aligner = toy(method="ridge", alpha=1.0).fit(PAIRS)
    mixed = aligner.transform([ENGLISH[3], KOREAN[4], ENGLISH[5]])
    assert mixed.dtype == np.float32
    assert_array_equal(mixed[[0, 2]], ToyEncoder().encode([ENGLISH[3], ENGLISH[5]]))
    assert_allclose(mixed[1], aligner.transform([KOREAN[4]])[0], atol=1e-6)


@pytest.mark.parametrize(
    "column",
    [
        tuple(KOREAN[:4]),
        np.array(KOREAN[:4]),
        np.array(KOREAN[:4], dtype=object)[:, None],
        pd.Series(KOREAN[:4]),
        pd.DataFrame({"text": KOREAN[:4]}),
        pl.Series(KOREAN[:4]),
    ],
    ids=["tuple", "array", "column", "series", "frame", "polars"],
)
def test_every_form_of_a_text_column(column):
    aligner = toy(method="ridge", alpha=1.0).fit(PAIRS)
    assert_array_equal(aligner.transform(column), aligner.transform(KOREAN[:4]))


@pytest.mark.parametrize("english_encoder", [None, EnglishOnly()])
@pytest.mark.parametrize("output_space", ["english", "target"])
def test_fit_transform_is_fit_then_transform(english_encoder, output_space):
    if english_encoder and output_space == "target":
        with pytest.raises(ValueError, match="english_encoder=None"):
            toy(output_space="target", english_encoder=english_encoder).fit(PAIRS)
        return
    aligner = toy(english_encoder=english_encoder, output_space=output_space)
    task = [*ENGLISH[:50], *KOREAN[:50]]
    together = aligner.fit_transform(task, parallel=(KOREAN, ENGLISH))
    apart = clone(aligner).fit(task, parallel=(KOREAN, ENGLISH)).transform(task)
    assert_allclose(together, apart, atol=1e-6)


def test_rows_do_not_depend_on_the_batch():
    aligner = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    whole = aligner.transform(KOREAN)
    for rows in ([0], [7, 3], range(100, 200)):
        assert_allclose(aligner.transform([KOREAN[i] for i in rows]), whole[list(rows)], atol=1e-5)


def test_several_languages_are_routed_by_script():
    japanese = [f"文のばんごう {i}" for i in range(200)]
    frame = pd.DataFrame({"ko": KOREAN, "ja": japanese, "en": ENGLISH})
    both = toy(target_lang=("ko", "ja"), method="ridge", alpha=1.0).fit(frame)
    assert set(both.language_map_) == set(both.method_) == {"ko", "ja"}
    rows = both.transform([KOREAN[0], japanese[0], ENGLISH[0]])
    for row, lang, text in ((0, "ko", KOREAN), (1, "ja", japanese)):
        alone = toy(target_lang=lang, method="ridge", alpha=1.0).fit(frame[[lang, "en"]])
        assert_allclose(rows[row], alone.transform(text[:1])[0], atol=1e-6)
    mixed_rows = [*PAIRS, *zip(japanese, ENGLISH, strict=True)]
    routed = toy(target_lang=("ko", "ja"), method="ridge", alpha=1.0).fit(mixed_rows)
    assert_allclose(routed.transform(japanese[:3]), both.transform(japanese[:3]), atol=1e-6)
    with pytest.raises(ValueError, match="target_lang= to inverse_transform"):
        both.inverse_transform(rows)
    assert both.inverse_transform(rows, target_lang="ja").shape == (3, 12)


def test_detect_serves_languages_in_latin_script():
    german = [f"Satz Nummer {i}" for i in range(200)]
    aligner = toy(target_lang="de", method="identity")
    with pytest.raises(ValueError, match="detect="):
        aligner.fit(list(zip(german, ENGLISH, strict=True)))
    aligner.set_params(detect=lambda texts: ["de" if "Satz" in t else "en" for t in texts])
    moved = aligner.fit(list(zip(german, ENGLISH, strict=True))).transform([german[1], ENGLISH[1]])
    assert_allclose(moved, ToyEncoder().encode([german[1], ENGLISH[1]]))
    embeddings = ToyEncoder().encode(german)
    aligner = toy(target_lang="de", method="identity").fit(embeddings, embeddings)
    assert_array_equal(aligner.transform(embeddings), embeddings)


# The two maps


def test_inverse_transform_comes_back_by_its_own_map():
    encoder = ToyEncoder()
    X = encoder.encode(KOREAN)
    exact = toy(method="procrustes").fit(PAIRS)
    assert_allclose(exact.inverse_transform(exact.transform(KOREAN)), X, atol=1e-4)
    bridged = toy(method="procrustes", english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    expected = exact.inverse_transform(
        bridged.bridge_map_.inverse_transform(bridged.transform(KOREAN))
    )
    assert_allclose(bridged.inverse_transform(bridged.transform(KOREAN)), expected, atol=1e-4)


def test_output_space_target_moves_english_and_leaves_the_target():
    aligner = toy(output_space="target", method="procrustes").fit(PAIRS)
    assert_array_equal(aligner.transform(KOREAN), ToyEncoder().encode(KOREAN))
    expected = aligner.language_map_.inverse_transform(ToyEncoder().encode(ENGLISH))
    assert_allclose(aligner.transform(ENGLISH), expected, atol=1e-5)
    moved = np.linalg.norm(aligner.transform(ENGLISH) - aligner.transform(KOREAN), axis=1)
    apart = np.linalg.norm(ToyEncoder().encode(ENGLISH) - aligner.transform(KOREAN), axis=1)
    assert moved.mean() < 0.5 * apart.mean()
    assert_array_equal(aligner.inverse_transform(expected), expected)
    with pytest.raises(ValueError, match="one target_lang"):
        toy(target_lang=("ko", "ja"), output_space="target").fit(["text"])


def test_bridge_needs_no_pair_at_all():
    english = EnglishOnly()
    # The shift between the languages is small here: nothing learns it without pairs.
    source = ToyEncoder(shift=0.1)
    pipe = make_pipeline(
        toy(encoder=source, english_encoder=english, corpus=None),
        LogisticRegression(C=100, max_iter=2000),
    )
    pipe.fit(ENGLISH, LABELS)
    english_accuracy = pipe.score(ENGLISH, LABELS)
    straight = pipe[1].score(english.encode(KOREAN), LABELS)
    assert pipe.score(KOREAN, LABELS) > max(0.9 * english_accuracy, straight + 0.1)
    assert pipe[0].bridge_map_.coef_.shape == (12, 7)


def test_bridge_output_has_the_scale_of_english_vectors():
    aligner = toy(english_encoder=EnglishOnly(), corpus=None).fit(ENGLISH)
    moved = aligner.bridge_map_.transform(ToyEncoder().encode(ENGLISH))
    real = EnglishOnly().encode(ENGLISH)
    assert moved.var(axis=0).sum() == pytest.approx(real.var(axis=0).sum(), rel=1e-3)


@pytest.mark.slow
def test_same_encoder_on_both_sides_is_no_bridge():
    encoder = ToyEncoder()
    assert toy(encoder=encoder, english_encoder=encoder).fit(PAIRS).bridge_map_ is None
    named = toy(encoder="use-multilingual", english_encoder=SentenceEncoder("use-multilingual"))
    assert named.fit(["Good morning"]).bridge_map_ is None


def test_fitted_tfidf_system_serves_korean_and_survives_a_clone():
    texts = [f"{t} {w}" for t in ENGLISH for w in ("apple", "train")]
    labels = ["fruit", "travel"] * 200
    tfidf = make_pipeline(TfidfVectorizer(), TruncatedSVD(20, random_state=0)).fit(texts)
    encoder = ToyEncoder()
    aligner = toy(encoder=encoder, english_encoder=tfidf, corpus=None)
    assert clone(aligner).english_encoder is tfidf
    pipe = make_pipeline(aligner, LogisticRegression(C=100)).fit(texts, labels)
    assert_allclose(pipe[0].transform(texts[:3]), tfidf.transform(texts[:3]), atol=1e-6)
    assert cross_val_score(pipe, texts, labels, cv=3).min() > 0.9


def test_auto_is_never_worse_than_no_alignment_on_held_out_pairs():
    report = toy().fit(PAIRS).alignment_report_
    evaluation = report.evaluations[0]
    assert evaluation.part == "language map"
    assert evaluation.aligned.recall_at_1 > evaluation.unaligned.recall_at_1 + 0.1
    assert "identity" in evaluation.candidates["method"]
    assert list(report.to_frame()["system"]) == ["no alignment", "aligned"]
    same = toy(encoder=ToyEncoder(shift=0, noise=0)).fit(PAIRS)
    assert same.method_ == "identity"


def test_report_measures_the_bridge_and_the_way_end_to_end():
    report = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS).alignment_report_
    frame = report.to_frame().set_index(["part", "system"])["recall_at_1"]
    assert frame["bridge", "aligned"] > 0.8
    assert frame["end to end", "aligned"] > frame["end to end", "no alignment"] + 0.3
    held_out = {e.part: e.n_held_out for e in report.evaluations}
    assert held_out == {"language map": 200, "bridge": 200, "end to end": 40}


def test_report_of_the_bridge_measures_the_map_in_use():
    aligner = toy(english_encoder=EnglishOnly(), corpus=None).fit(ENGLISH)
    X, Y = ToyEncoder().encode(ENGLISH), EnglishOnly().encode(ENGLISH)
    seed = np.random.RandomState(0).randint(2**31 - 1)  # as random_state=0 draws it
    cosines = []
    place = np.random.RandomState(seed).permutation(200)  # all rows differ: five folds in turn
    for rows in (np.flatnonzero(place % 5 == fold) for fold in range(5)):
        rest = np.setdiff1d(np.arange(200), rows)
        bridge = LinearAligner("spectral", alpha=1.0, power=0.5, match_scale=True)
        Z = bridge.fit(X[rest], Y[rest]).transform(X[rows])
        norms = np.linalg.norm(Z, axis=1) * np.linalg.norm(Y[rows], axis=1)
        cosines.extend((Z * Y[rows]).sum(1) / norms)
    evaluation = aligner.alignment_report_.evaluations[0]
    assert evaluation.n_held_out == len(cosines) == 200
    assert evaluation.aligned.mean_cosine == pytest.approx(np.mean(cosines), abs=1e-5)


def test_report_warns_where_alignment_does_harm():
    encoder = ToyEncoder(shift=0, noise=0)
    shuffled = list(zip(KOREAN, ENGLISH[1:] + ENGLISH[:1], strict=True))
    harmed = toy(encoder=encoder, method="procrustes").fit(PAIRS[:60] + shuffled[60:])
    unaligned, aligned = (harmed.alignment_report_.to_frame().recall_at_1[i] for i in (0, 1))
    assert (aligned < unaligned) == any(
        "fewer held-out translations" in w for w in harmed.alignment_report_.warnings
    )
    assert aligned < unaligned


def test_score_is_recall_of_both_directions_with_ties():
    aligner = toy(method="identity", encoder=ToyEncoder(shift=0, noise=0)).fit(PAIRS)
    assert aligner.score(PAIRS) == 1.0
    repeated = [(KOREAN[0], ENGLISH[0]), (KOREAN[1], ENGLISH[0]), (KOREAN[2], ENGLISH[2])]
    # Two Korean sentences with one translation are right answers for each other; the second
    # lies nearest to no row, but its group's English row is not the nearest to it either.
    assert 0 < aligner.score(repeated) <= 1


# What scikit-learn asks of it


def test_every_distinct_text_is_encoded_once():
    source, system = ToyEncoder(), EnglishOnly()
    task = ENGLISH + ENGLISH[:30] + KOREAN[:10]
    toy(encoder=source, english_encoder=system).fit_transform(task, parallel=PAIRS + PAIRS[:5])
    assert len(source.calls) == len(set(source.calls))
    assert len(system.calls) == len(set(system.calls))


@pytest.mark.slow
def test_grid_search_over_pairs_also_in_parallel():
    grid = {"method": ["identity", "ridge"], "alpha": [1.0, 10.0]}
    search = GridSearchCV(toy(), grid, cv=3).fit(PAIRS)
    assert search.best_params_["method"] == "ridge"
    parallel = GridSearchCV(toy(), grid, cv=3, n_jobs=2).fit(frames(pd))
    assert_allclose(parallel.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    # By hand, the first fold: fitted on the other two, scored by recall on this one.
    held, rest = PAIRS[:67], PAIRS[67:]
    by_hand = toy(method="identity", alpha=1.0).fit(rest).score(held)
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(by_hand)


@pytest.mark.parametrize("routing", [False, True])
def test_parallel_reaches_the_aligner_in_pipelines_and_searches(routing):
    corpus = ParallelCorpus(KOREAN, ENGLISH, target_lang="ko")
    with sklearn.config_context(enable_metadata_routing=routing):
        aligner = toy(method="ridge", alpha=1.0, corpus=None)
        name = "align__parallel"
        if routing:
            aligner.set_fit_request(parallel=True)
            name = "parallel"
        pipe = Pipeline([("align", aligner), ("clf", LogisticRegression())])
        pipe.fit(ENGLISH, LABELS, **{name: corpus})
        assert pipe[0].alignment_report_.evaluations[0].n_fit == 200
        search = GridSearchCV(pipe, {"align__alpha": [0.1, 1.0]}, cv=2)
        search.fit(ENGLISH, LABELS, **{name: corpus})
        assert search.best_estimator_[0].alignment_report_.evaluations[0].n_fit == 200


def test_pipeline_with_memory_fits_once(tmp_path):
    pipe = make_pipeline(toy(), LogisticRegression(), memory=joblib.Memory(tmp_path, verbose=0))
    first = pipe.fit(ENGLISH, LABELS).predict(KOREAN)
    again = clone(pipe).fit(ENGLISH, LABELS).predict(KOREAN)
    assert_array_equal(first, again)


def test_set_output_and_feature_names():
    aligner = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    names = [f"crosslingualaligner{i}" for i in range(7)]
    assert list(aligner.get_feature_names_out()) == names
    for library, frame in (("pandas", pd.DataFrame), ("polars", pl.DataFrame)):
        out = clone(aligner).set_output(transform=library).fit(ENGLISH, parallel=PAIRS)
        moved = out.transform(KOREAN[:3])
        assert isinstance(moved, frame)
        assert list(moved.columns) == names
        assert_allclose(moved.to_numpy(), aligner.transform(KOREAN[:3]), atol=1e-6)


def test_clone_keeps_parameters_shares_encoders_and_drops_the_fit():
    aligner = toy(method="ridge", alpha=2.0, english_encoder=EnglishOnly()).fit(PAIRS)
    twin = clone(aligner)
    assert twin.get_params(deep=False) == aligner.get_params(deep=False)
    assert twin.encoder is aligner.encoder
    assert not hasattr(twin, "language_map_")


def test_freeze_is_a_copy_that_nothing_fits_again():
    aligner = toy(method="ridge", alpha=1.0).fit(PAIRS)
    frozen = aligner.freeze()
    assert isinstance(frozen, FrozenEstimator)
    before = aligner.transform(KOREAN[:3])
    pipe = make_pipeline(frozen, LogisticRegression()).set_output(transform="pandas")
    pipe.fit(ENGLISH, LABELS)
    aligner.fit(PAIRS[:50])
    assert isinstance(pipe[0].transform(KOREAN[:3]), pd.DataFrame)
    assert isinstance(aligner.transform(KOREAN[:3]), np.ndarray)
    assert_allclose(pipe[0].transform(KOREAN[:3]), before, atol=1e-6)


@pytest.mark.slow
def test_pickles_hold_no_model_and_no_training_text():
    aligner = CrossLingualAligner("ko", method="ridge", alpha=10.0).fit(["Good morning"])
    data = pickle.dumps(aligner)
    # Two 512 x 512 float32 matrices, there and back.
    assert len(data) < 2.2 * 512 * 512 * 4
    again = pickle.loads(data)
    assert_array_equal(again.transform(["좋은 아침"]), aligner.transform(["좋은 아침"]))


def test_repeats_bit_for_bit_and_leaves_the_global_generator():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    second = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    assert_array_equal(first.transform(KOREAN), second.transform(KOREAN))
    assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_threads_share_one_aligner():
    aligner = CrossLingualAligner("ko", method="ridge", alpha=10.0).fit(["Good morning"])
    texts = ["좋은 아침입니다", "기차가 늦었어요", "Where is my parcel?", "환불해 주세요"]
    expected, results = aligner.transform(texts), {}

    def work(i):
        results[i] = [aligner.transform(texts) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for answers in results.values():
        for answer in answers:
            assert_allclose(answer, expected, atol=1e-6)


def test_failed_fit_keeps_what_was_fitted():
    aligner = toy(method="ridge", alpha=1.0).fit(PAIRS)
    before = aligner.transform(KOREAN[:3])
    with pytest.raises(ValueError, match="empty string"):
        aligner.fit([*PAIRS, ("", "")])
    assert_array_equal(aligner.transform(KOREAN[:3]), before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["langalign_sk", "langalign_sk.aligner", "langalign_sk.datasets"]
)
def test_import_is_light(module):
    code = (
        f"import sys, {module}; dir({module}); "
        "print(*[m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


@pytest.mark.slow
def test_default_encoder_loads_no_torch():
    code = (
        "import sys; from langalign_sk import CrossLingualAligner; "
        "CrossLingualAligner('ko', corpus=None).fit(['Good morning']).transform(['좋은 아침']); "
        "print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False"]


def test_public_names_resolve():
    import langalign_sk

    for name in langalign_sk.__all__:
        assert getattr(langalign_sk, name) is not None
    assert set(langalign_sk.__all__) <= set(dir(langalign_sk))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        langalign_sk.nothing  # noqa: B018
