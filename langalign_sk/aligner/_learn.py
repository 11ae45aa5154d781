"""Fitting the two maps of an aligner, and measuring them on rows they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._quality.shares import MAX_ROWS
from .._quality.texts import TextQuality
from .._quality.vectors import VectorQuality
from ..corpus._inputs import Sides
from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.adapter import Trained
from ..mapping.linear import _again, _linear, method_of
from ..mapping.selection import choose
from ..metrics._core import duplicate_groups
from ._bridge import Bridge
from ._evidence import _measured, _scores
from ._fit_cache import fitted_once
from ._plan import ADAPTERS, MIN_BRIDGE_ROWS, Setting
from ._report import Evaluation

__all__ = ["fit_language_map", "fit_maps", "learn_quality", "learn_quality_of_rows"]


# Below, what an adapter gains on held-out pairs was within the noise, in all three languages that
# it was measured in.
MIN_ADAPTER_PAIRS = 2_000
# A linear adapter finds as many translations; on English heads, this one lost less. Measured on
# held-out pairs, and on dev rows and target-language training rows of the tasks.
_ADAPTER_DIM = 256
_END_TO_END_ROWS = 200


def fit_maps(
    pairs: dict[str, Sides], task: list[str], languages: Sequence[str], setting: Setting
) -> tuple[dict[str, PairedMap], PairedMap | None, list[Evaluation]]:
    """Language maps, the bridge where there is a second encoder, and their held-out scores."""
    s = setting
    maps: dict[str, PairedMap] = {}
    evaluations: list[Evaluation] = []
    for language in languages:
        if language not in pairs:
            # Two rows of zeros tell an identity its width.
            nothing = np.zeros((2, s.session.encode(s.source, ["width"]).shape[1]), np.float32)
            maps[language] = LinearAligner("identity").fit(nothing, nothing)
            continue
        target, english = pairs[language]
        X = s.session.encode(s.source, target)
        Y = s.session.encode(s.system if s.shared else s.source, english)
        maps[language], evaluation = fit_language_map(X, Y, language, setting)
        evaluations.append(evaluation)
    if s.system is s.source or s.shared:
        return maps, None, evaluations
    bridge = Bridge(task, [t for _, english in pairs.values() for t in english], setting)
    bridge_map, evaluation = bridge.fit_and_evaluate()
    evaluations.append(evaluation)
    for language, sides in pairs.items():
        whole = _end_to_end(sides, language, maps[language], bridge, setting)
        evaluations += [whole] if whole else []
    return maps, bridge_map, evaluations


def fit_language_map(
    X: NDArray, Y: NDArray, language: str, setting: Setting
) -> tuple[PairedMap, Evaluation]:
    """Map of target rows, with its held-out evaluation; fitted once for the folds of a search."""
    s = setting
    settings = {
        "language": language,
        "method": s.method,
        "alpha": s.alpha,
        "shared": s.shared,
        "bridged": s.system is not s.source,
        "adapter": s.adapter,
        "time_budget": s.time_budget,
        "seed": s.seed,
    }
    return fitted_once(lambda: _fit(X, Y, language, setting), X, Y, settings, s.seeded)


def _fit(X: NDArray, Y: NDArray, language: str, setting: Setting) -> tuple[PairedMap, Evaluation]:
    aligner, candidates = _chosen(X, Y, language, setting)
    aligner.fit(X, Y)
    same_space = not setting.shared or setting.system is setting.source
    evaluation = Evaluation(
        "language map",
        language,
        method_of(aligner),
        n_fit=len(X),
        **_measured(aligner, X, Y, setting.seed, same_space),
        candidates=candidates or getattr(aligner, "cv_results_", None) or {},
    )
    return aligner, evaluation


def _chosen(
    X: NDArray, Y: NDArray, language: str, setting: Setting
) -> tuple[PairedMap, dict[str, list]]:
    """The unfitted map to use, and what it was chosen among."""
    s = setting
    if s.method in ADAPTERS:
        return s.adapter_for(s.method, language), {}
    linear = LinearAligner(s.method, alpha=s.alpha, shared=s.shared, random_state=s.seed)
    if s.method != "auto" or len(X) < MIN_ADAPTER_PAIRS or s.time_budget == 0:
        return linear, {}
    candidates: list[Any] = list(linear._check_parameters(X.shape[1] == Y.shape[1]))
    adapter = s.adapter_for("contrastive", language)
    free = adapter.adapter_dim is None and adapter.rank is None
    free = free and adapter.architecture in (None, "residual")
    if free:
        adapter.set_params(adapter_dim=_ADAPTER_DIM)
    candidates.append(Trained(adapter))
    choice = choose(
        X,
        Y,
        candidates,
        random_state=check_random_state(s.seed),
        time_budget=s.time_budget,
    )
    if choice is None:
        return linear, {}
    best = choice.best
    if isinstance(best, Trained):
        return clone(best.aligner), choice.results
    return _linear(best, s.seed), choice.results


def _end_to_end(
    sides: Sides, language: str, language_map: PairedMap, bridge: Bridge, setting: Setting
) -> Evaluation | None:
    """Target text to the English system's vectors of its translation, on held-out pairs.

    Both maps are fitted again without the held-out pairs. The baseline feeds the target text
    straight to the English encoder.
    """
    encode, s = setting.session.encode, setting
    targets, english = sides
    X, Y = encode(s.source, targets), encode(s.source, english)
    groups = duplicate_groups(X, Y)
    order = check_random_state(s.seed).permutation(groups.max() + 1)[groups]
    n_held = min(_END_TO_END_ROWS, len(targets) // 5)
    held = order < np.sort(order)[n_held]
    rows = np.flatnonzero(held)
    hidden = {english[i] for i in rows}
    kept = np.flatnonzero([t not in hidden for t in bridge.texts])
    if len(rows) < 2 or len(targets) - len(rows) < 2 or len(kept) < MIN_BRIDGE_ROWS:
        return None
    there = _again(language_map).fit(X[~held], Y[~held])
    moved = bridge.fit(kept).move(there.move(X[held]))
    truth = encode(s.system, [english[i] for i in rows])
    straight = encode(s.system, [targets[i] for i in rows])
    return Evaluation(
        "end to end",
        language,
        f"{method_of(language_map)} + bridge",
        n_fit=len(targets),
        **_scores((straight, truth), (moved, truth), groups[held], s.seed),
    )


_KEPT = 8  # models of this process


def learn_quality(
    pairs: dict[str, Sides], task: dict[str, list[str]], setting: Setting
) -> tuple[dict[str, TextQuality], dict[str, VectorQuality]]:
    """Models of the texts and the embeddings of a fit, by language; encodes nothing anew.

    Parameters
    ----------
    pairs : dict of str to (list of str, list of str)
        Target and English sides by language; the target sides have been encoded.
    task : dict of str to list of str
        Task text by language, "en" among them.
    setting : Setting
        Of the fit that goes on.

    Returns
    -------
    texts, vectors : dict of str to TextQuality, dict of str to VectorQuality
        A language with fewer than 20 distinct rows is left out.
    """
    sides = {language: target for language, (target, _) in pairs.items()}
    sides["en"] = [text for _, english in pairs.values() for text in english]
    texts, vectors = {}, {}
    for language in {**sides, **task}:
        some = _some(task.get(language, []), sides.get(language, []), setting.seed)
        texts[language] = _of_texts(tuple(some), setting.seed)
    for language in pairs:
        some = _some([], sides[language], setting.seed)
        Z = setting.session.encode(setting.source, some)
        vectors[language] = VectorQuality.fit(Z, setting.seed)
    return _found(texts), _found(vectors)


def learn_quality_of_rows(Z: NDArray, language: str, seed: int) -> dict[str, VectorQuality]:
    """Model of embeddings, as `learn_quality` gives them."""
    distinct = np.unique(duplicate_groups(Z), return_index=True)[1]
    if len(distinct) > MAX_ROWS:
        distinct = np.random.RandomState(seed).choice(distinct, MAX_ROWS, replace=False)
    return _found({language: VectorQuality.fit(Z[np.sort(distinct)], seed)})


def _found(models: dict[str, Any]) -> dict[str, Any]:
    return {language: model for language, model in models.items() if model is not None}


def _some(first: Sequence[str], others: Sequence[str], seed: int) -> list[str]:
    """At most MAX_ROWS distinct texts: what is to come first, filled up from the others."""
    kept: list[str] = []
    for texts in (first, others):
        seen = {*kept}
        new = [text for text in dict.fromkeys(texts) if text not in seen]
        room = MAX_ROWS - len(kept)
        if len(new) > room:
            order = np.random.RandomState(seed).permutation(len(new))[:room]
            new = [new[i] for i in np.sort(order)]
        kept += new
    return kept


@lru_cache(maxsize=_KEPT)
def _of_texts(texts: tuple[str, ...], seed: int) -> TextQuality | None:
    """Fitted once for the folds of a search."""
    return TextQuality.fit(texts, seed)
