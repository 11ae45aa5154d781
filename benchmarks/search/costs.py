"""What a query costs in four views, beside encoding it and searching one view."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from langalign_sk import CrossLingualRetriever, SentenceEncoder

from .._lib.data import SEED
from .._lib.timing import in_turns
from .methods import E5, USE, Views
from .sets import CELLS, load

N_DOCUMENTS, N_QUERIES, TURNS = 100_000, 32, 7
ENCODERS = {USE: "use-multilingual", E5: "multilingual-e5-small"}
VIEWS = {"USE": USE, "e5": E5, "USE, bridged": "MiniLM", "e5, bridged": "MiniLM"}
ONE, FUSED = "search in one view", "search in four views"
ENCODING = {name: f"encoding by {name}" for name in ENCODERS}


def spread_out(rows: NDArray, n: int) -> NDArray:
    """Unit rows like those of texts: weighted means of two of them, as many as are asked for."""
    rng = np.random.default_rng(SEED)
    one, other = rng.integers(len(rows), size=(2, n))
    share = rng.uniform(0.5, 1, size=(n, 1)).astype(np.float32)
    out = share * rows[one] + (1 - share) * rows[other]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def measure(views: Views) -> dict:
    """Milliseconds a query of every turn, one query at a time and all at once."""
    sets = [load(views.folder, name, language) for name, language in CELLS]
    texts = list(dict.fromkeys(text for one in sets for text in one.documents))
    queries = [text for one in sets for text in one.queries[:2]][:N_QUERIES]
    encoders = {name: SentenceEncoder(model, cache=None) for name, model in ENCODERS.items()}
    encoded = {name: views.encoders[name].encode(texts) for name in {*VIEWS.values()}}
    documents = [spread_out(encoded[name], N_DOCUMENTS) for name in VIEWS.values()]
    # The width of a row decides what its search costs, and not where it was moved.
    rows = [encoded[name][:N_QUERIES] for name in VIEWS.values()]
    one = CrossLingualRetriever().fit(documents[0])
    four = CrossLingualRetriever([None] * len(VIEWS)).fit(documents)
    out = {}
    for what, step in (("one by one", 1), ("all at once", N_QUERIES)):
        functions: dict[str, Callable] = {
            ENCODING[name]: partial(in_steps, of.encode, [queries], step, False)
            for name, of in encoders.items()
        }
        functions[ONE] = partial(in_steps, one.kneighbors, rows[:1], step, False)
        functions[FUSED] = partial(in_steps, four.kneighbors, rows, step, True)
        for function in functions.values():
            function()  # models and pages of memory are loaded
        times = in_turns(functions, TURNS)
        out[what] = {
            name: [1000 * taken / N_QUERIES for taken in of_turns]
            for name, of_turns in times.items()
        }
    return {"documents": N_DOCUMENTS, "queries": N_QUERIES, "milliseconds": out}


def in_steps(function, parts: list, step: int, several: bool) -> None:
    """Call a function with so many queries at a time."""
    for start in range(0, N_QUERIES, step):
        some = [part[start : start + step] for part in parts]
        function(some if several else some[0])


def ratios(milliseconds: dict[str, list[float]]) -> dict[str, float]:
    """Medians over the turns of what four views cost beside one.

    "fusion": both encoders and the search in four views over both encoders and the search in one.
    "four views over USE alone": the same over the first encoder and the search in its view.
    """
    use, e5, one, fused = (
        np.array(milliseconds[name]) for name in (ENCODING[USE], ENCODING[E5], ONE, FUSED)
    )
    return {
        "fusion": float(np.median((use + e5 + fused) / (use + e5 + one))),
        "four views over USE alone": float(np.median((use + e5 + fused) / (use + one))),
    }
