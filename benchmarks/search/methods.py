"""What answers the queries: views, centring, fusion and scoring of CrossLingualRetriever."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langalign_sk import CrossLingualAligner, CrossLingualRetriever

from .._lib.baselines import NO_ALIGNMENT
from .._lib.data import SEED
from .._lib.encoders import e5, encoder
from .measures import FOUND, ranks
from .sets import KINDS, SearchSet, training_pairs

N_PAIRS = 3_000
USE, E5 = "USE", "e5"
USE_BRIDGED, E5_BRIDGED = "USE, bridged", "e5, bridged"
CHOSEN, SHARED, ADAPTER = "USE, chosen map", "USE, shared space", "USE, adapter for search"
LEARNED: dict[str, dict[str, Any]] = {
    CHOSEN: {"time_budget": 0},  # closed forms alone
    SHARED: {"time_budget": 0, "output_space": "shared"},
    ADAPTER: {"method": "contrastive", "adapter_params": {"mse_weight": 0.0}},
}

# Which queries are known beforehand.
NONE, HALF, BATCH, JUDGED = "none", "half", "the queries", "judged"


@dataclass(frozen=True)
class Method:
    """Row of the table.

    Attributes
    ----------
    views : tuple of str
        Of the retriever.
    settings : dict
        Parameters of the retriever.
    bank : str
        NONE; HALF: one half of the queries is known when the other one is answered, both ways;
        BATCH: all queries are known; JUDGED: as HALF, with the right documents of the half.
    n_bank : int or None
        Queries of the half that are known at most.
    """

    views: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    bank: str = NONE
    n_bank: int | None = None


TWO, FOUR = (USE, E5), (USE, E5, USE_BRIDGED, E5_BRIDGED)
BASELINE, SECOND = f"USE, {NO_ALIGNMENT}", f"e5, {NO_ALIGNMENT}"
DEFAULT, DEFAULT_BANK = "USE + e5", "USE + e5, auto, past queries"
FOUR_VIEWS = "four views"

ONE_VIEW = {
    BASELINE: Method((USE,)),
    "USE, centred": Method((USE,), {"centre": True}),
    "USE, centred, past queries": Method((USE,), {"centre": True}, HALF),
    "USE, CSLS, past queries": Method((USE,), {"scoring": "csls"}, HALF),
    "USE, query bank, past queries": Method((USE,), {"scoring": "query_bank"}, HALF),
    "USE, CSLS, batch": Method((USE,), {"scoring": "csls"}, BATCH),
    "USE, auto": Method((USE,), {"scoring": "auto"}),
    "USE, auto, past queries": Method((USE,), {"scoring": "auto"}, HALF),
    **{f"{name}, pairs": Method((name,)) for name in LEARNED},
    "USE, bridged": Method((USE_BRIDGED,)),
    SECOND: Method((E5,)),
    "e5, centred": Method((E5,), {"centre": True}),
    "e5, centred, past queries": Method((E5,), {"centre": True}, HALF),
    "e5, CSLS, past queries": Method((E5,), {"scoring": "csls"}, HALF),
    "e5, auto": Method((E5,), {"scoring": "auto"}),
    "e5, auto, past queries": Method((E5,), {"scoring": "auto"}, HALF),
}
FUSED = {
    "USE + its bridge": Method((USE, USE_BRIDGED)),
    "USE + its bridge, weights 3 to 1": Method((USE, USE_BRIDGED), {"weights": [3, 1]}),
    "USE + its bridge, weights 8 to 1": Method((USE, USE_BRIDGED), {"weights": [8, 1]}),
    "USE + e5, plain": Method(TWO, {"centre": False}),
    DEFAULT: Method(TWO),
    "USE + e5, both centred": Method(TWO, {"centre": True}),
    "USE + e5, rank fusion": Method(TWO, {"fusion": "rank"}),
    "USE + e5, weights 2 to 1": Method(TWO, {"weights": [2, 1]}),
    "USE + e5, weights 1 to 2": Method(TWO, {"weights": [1, 2]}),
    "USE + e5 + USE, bridged": Method((USE, E5, USE_BRIDGED)),
    FOUR_VIEWS: Method(FOUR),
    "four views, bridges of weight 1/3": Method(FOUR, {"weights": [3, 3, 1, 1]}),
    "USE + e5, all documents as candidates": Method(TWO, {"n_candidates": 10_000}),
    "USE + e5, 100 candidates": Method(TWO, {"n_candidates": 100}),
}
PAST = {
    "USE + e5, centred, past queries": Method(TWO, {"centre": True}, HALF),
    "USE + e5, CSLS, past queries": Method(TWO, {"scoring": "csls"}, HALF),
    "USE + e5, query bank, past queries": Method(TWO, {"scoring": "query_bank"}, HALF),
    DEFAULT_BANK: Method(TWO, {"scoring": "auto"}, HALF),
    "four views, auto, past queries": Method(FOUR, {"scoring": "auto"}, HALF),
    "USE + e5, CSLS, batch": Method(TWO, {"scoring": "csls"}, BATCH),
}
WITH_JUDGED = {
    "USE + e5, judged queries": Method(TWO, {}, JUDGED),
    "four views, judged queries": Method(FOUR, {}, JUDGED),
}
LEXICAL = {
    "USE, words in common": Method((USE,), {"lexical": True}),
    "USE + e5, words in common": Method(TWO, {"lexical": True}),
    "USE + e5, words in common, auto": Method(TWO, {"lexical": "auto"}),
}
N_BANKS = (20, 50, 100, 250)
BANKS = {
    f"USE + e5, {what}, {n} past queries": Method(TWO, settings, HALF, n)
    for what, settings in (("centred", {"centre": True}), ("auto", {"scoring": "auto"}))
    for n in N_BANKS
}
METHODS = {**ONE_VIEW, **FUSED, **LEXICAL, **PAST, **WITH_JUDGED, **BANKS}

# Out of these a method is chosen by the sets of the other sources.
WITHOUT_QUERIES = (BASELINE, SECOND, "e5, centred", *FUSED, *LEXICAL)
WITH_QUERIES = (
    *WITHOUT_QUERIES,
    *(name for name, method in {**ONE_VIEW, **PAST}.items() if method.bank == HALF),
)


class Views:
    """Aligners of the views, of which those that learn a map are fitted once.

    Parameters
    ----------
    folder : Path
        Of the data.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._learned: dict[tuple[str, str, str], Any] = {}

    @cached_property
    def encoders(self) -> dict[str, Any]:
        """Encoders by name."""
        return {
            USE: encoder("use-multilingual"),
            E5: e5(),
            "MiniLM": encoder("minilm-english"),
        }

    def __call__(self, view: str, name: str, language: str, found: SearchSet) -> Any:
        """Aligner of a view of a set: not fitted, or frozen where it learns a map."""
        source = self.encoders[view.split(",")[0]]
        if view in LEARNED:
            aligner = CrossLingualAligner(
                language, encoder=source, random_state=SEED, **LEARNED[view]
            )
            return self._frozen(aligner, (view, language, KINDS[name].pairs), None)
        if view in (USE, E5):
            return self.unaligned(view, language)
        # As the retriever fits it: from the documents alone.
        aligner = CrossLingualAligner(
            language,
            encoder=source,
            english_encoder=self.encoders["MiniLM"],
            corpus=None,
            random_state=SEED,
        )
        return self._frozen(aligner, (view, language, name), found.documents)

    def unaligned(self, view: str, language: str) -> CrossLingualAligner:
        """Aligner that leaves the rows of an encoder alone, not fitted."""
        return CrossLingualAligner(
            language, encoder=self.encoders[view], method="identity", random_state=SEED
        )

    def _frozen(self, aligner: Any, key: tuple[str, str, str], documents: Any) -> Any:
        """The aligner, fitted on documents, or on pairs of all sources but the last of the key."""
        if key not in self._learned:
            if documents is None:
                aligner.fit(training_pairs(self.folder, *key[1:], N_PAIRS))
            else:
                aligner.fit(documents)
            self._learned[key] = aligner.freeze()
        return self._learned[key]


def measure(method: Method, views: Callable, name: str, language: str, found: SearchSet) -> dict:
    """Ranks of the right documents, as a string with a digit per query."""

    def answered(scored: SearchSet, known: SearchSet | None) -> NDArray[np.intp]:
        aligners = [views(view, name, language, found) for view in method.views]
        retriever = CrossLingualRetriever(
            aligners if len(aligners) > 1 else aligners[0], n_neighbors=FOUND, **method.settings
        )
        beside: dict[str, Any] = {}
        if known is not None and method.bank == JUDGED:
            beside["judgements"] = known.queries, known.gold.tolist()
        elif known is not None:
            beside["query_bank"] = known.queries
        retriever.fit(found.documents, **beside)
        return ranks(retriever.kneighbors(scored.queries, return_distance=False), scored.gold)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what reports say of few rows
        if method.bank in (HALF, JUDGED):
            out = crosswise(found, answered, method.n_bank)
        else:
            out = answered(found, found if method.bank == BATCH else None)
    return {"ranks": "".join(f"{rank:x}" for rank in out)}


def crosswise(found: SearchSet, answered: Callable, n_bank: int | None = None) -> NDArray[np.intp]:
    """Ranks where one random half of the queries is known beforehand, and the other is answered."""
    n = len(found.queries)
    order = np.random.default_rng(SEED).permutation(n)
    halves = order[: n // 2], order[n // 2 :]
    out = np.zeros(n, dtype=np.intp)
    for known, scored in (halves, halves[::-1]):
        out[scored] = answered(found.take(scored), found.take(known[:n_bank]))
    return out
