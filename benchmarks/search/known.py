"""Both directions of translation retrieval, beside the best rows of the other benchmarks."""

import warnings

import numpy as np

from langalign_sk import CrossLingualRetriever

from .._lib.data import LANGUAGES, SETS
from .._lib.tables import read_results
from .methods import E5, USE, Views
from .sets import sentences

COSINE, CSLS, AUTO = "cosine", "CSLS, all queries known", "auto, all queries known"
SCORINGS = {COSINE: "cosine", CSLS: "csls", AUTO: "auto"}


def measure(views: Views, name: str, language: str) -> dict[str, float]:
    """Recall at 1 of two encoders fused, the mean of both directions, by scoring."""
    target, _, english = sentences(views.folder, name, language)
    sides = list(target), list(english)
    found: dict[str, list[float]] = {scoring: [] for scoring in SCORINGS}
    for queries, documents in (sides, sides[::-1]):
        for what, scoring in SCORINGS.items():
            aligners = [views.unaligned(view, language) for view in (USE, E5)]
            retriever = CrossLingualRetriever(aligners, n_neighbors=1, scoring=scoring)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # equal documents, as in the set
                retriever.fit(documents, query_bank=None if what == COSINE else queries)
            places = retriever.kneighbors(queries, return_distance=False)[:, 0]
            right = [documents[at] == documents[i] for i, at in enumerate(places)]
            found[what].append(float(np.mean(right)))
    return {what: float(np.mean(values)) for what, values in found.items()}


def best() -> dict[str, dict[str, dict[str, float]]]:
    """Highest rows of `adapters` (Tatoeba) and of `retrieval` by set, language and scoring."""
    out = {name: {lang: {COSINE: 0.0, CSLS: 0.0} for lang in LANGUAGES} for name in SETS}
    seeds: dict[tuple[str, str], list[dict]] = {}
    for key, scores in read_results("adapters")["scores"].items():
        part, language, method, *_ = key.split("/")
        if part == "one space" and "recall" in scores:
            seeds.setdefault((language, method), []).append(scores)
    for (language, _), of_seeds in seeds.items():
        row = out["tatoeba"][language]
        for what, score in ((COSINE, "recall"), (CSLS, "csls")):
            row[what] = max(row[what], float(np.mean([scores[score] for scores in of_seeds])))
    for language, name, _, scoring, bank, recall in read_results("retrieval")["recall"]:
        row = out[name][language]
        if scoring == "cosine":
            row[COSINE] = max(row[COSINE], recall)
        elif bank == "the queries" and scoring == "csls":
            row[CSLS] = max(row[CSLS], recall)
    return out
