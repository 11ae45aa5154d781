"""Learning of the maps of an aligner, as planned, and of what their report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._quality import faults_of_sides
from .._quality.shares import MAX_ROWS
from .._quality.texts import TextQuality
from .._quality.vectors import VectorQuality
from .._utils.normalization import normalize_texts
from .._utils.validation import ensured, warn_user
from ..encoders import EncodingSession
from ..encoders.base import seen_model
from ..encoders.long_texts import numbered_rows
from ..encoders.session import check_varies
from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.adapter import AdapterCandidate
from ..mapping.candidates import MapCandidate, linear_candidates
from ..mapping.linear import linear_aligner
from ..mapping.rows import PairedRows
from ..mapping.selection import choose
from ..metrics._core import duplicate_groups
from ._bridge import Bridge
from ._evidence import doubts, failures, measured
from ._fit_cache import fit_cache, key_of
from ._plan import ADAPTERS, Plan
from ._report import AlignmentReport, AlignmentWarning, Evaluation

__all__ = ["Learned", "fit_planned", "learn"]

# Adapters gain translations and not accuracy: for a head they are not tried. A linear one finds as many
# translations as one of this width, and costs English heads more accuracy
# (`python -m benchmarks adapters`).
_ADAPTER_DIM = 256
# Texts of each language whose rows must differ where there is no pair to learn from.
_TRIED = 8
# A fit that writes, calls or prints something is more than its result.
_WITH_EFFECTS = ("checkpoint", "callbacks", "verbose")


@dataclass(frozen=True)
class Learned:
    """Result of one fit of a CrossLingualAligner.

    Attributes
    ----------
    maps : dict of str to PairedMap
        Language maps by language.
    bridge : PairedMap or None
        Map into the other English encoder.
    report : AlignmentReport
        Held-out scores and warnings.
    text_quality, vector_quality : dict
        Models of the texts and the embeddings of the fit, by language.
    models_seen : tuple
        Parameters, identity and width of both encoders' models; None for unknown ones.
    of_text : bool
        Whether the fit was on text, and not on embeddings.
    """

    maps: dict[str, PairedMap]
    bridge: PairedMap | None
    report: AlignmentReport
    text_quality: dict[str, TextQuality]
    vector_quality: dict[str, VectorQuality]
    models_seen: tuple[Any, ...]
    of_text: bool


def learn(plan: Plan, session: EncodingSession) -> Learned:
    """Encode the texts of a plan, fit its maps and measure them on held-out rows.

    Parameters
    ----------
    plan : Plan
        Checked beforehand.
    session : EncodingSession
        Keeps every distinct text encoded.

    Returns
    -------
    Learned
        A map that is no better than for shuffled pairs, and pairs that look wrong, have been warned
        of.
    """
    if plan.embeddings is not None:
        sides = {plan.languages[0]: plan.embeddings}
    else:
        sides = {language: _encoded(plan, language, session) for language in plan.pairs}
    rows = {language: LinearAligner().check_rows(X, Y) for language, (X, Y) in sides.items()}
    maps: dict[str, PairedMap] = {}
    evaluations: list[Evaluation] = []
    for language in plan.languages:
        if language in rows:
            maps[language], evaluation = _fit_once(rows[language], language, plan)
            if language in plan.pairs:  # text says more than its embeddings
                faults = faults_of_sides(*plan.pairs[language], language)
                evaluation = replace(evaluation, faults=(*faults, *evaluation.faults))
            evaluations.append(evaluation)
        else:
            maps[language] = _no_alignment(plan, session)
    bridge_map = None
    if plan.bridged:
        bridge = Bridge(plan, session)
        bridge_map, evaluation = bridge.fit_and_evaluate()
        whole = (
            bridge.end_to_end(language, maps[language], rows[language]) for language in plan.pairs
        )
        evaluations += [evaluation, *(e for e in whole if e is not None)]
    report = AlignmentReport(tuple(evaluations), (*plan.notes, *doubts(evaluations)))
    text_quality, vector_quality = _learn_quality(plan, session)
    for failure in failures(evaluations):
        warn_user(failure, AlignmentWarning)
    of_text = plan.embeddings is None
    models = tuple(seen_model(e) if of_text else None for e in (plan.source, plan.system))
    return Learned(maps, bridge_map, report, text_quality, vector_quality, models, of_text)


def fit_planned(aligner: Any, plan: Plan, session: EncodingSession) -> Any:
    """The aligner of a plan, fitted as planned.

    Parameters
    ----------
    aligner : CrossLingualAligner
        Whose plan it is; its fitted attributes are set.
    plan : Plan
        As `plan_fit` returns it: all that can be wrong with the input has been checked.
    session : EncodingSession
        Keeps every distinct text encoded, also over several fits.

    Returns
    -------
    CrossLingualAligner
        The aligner itself.
    """
    with numbered_rows(plan.rows):
        return aligner._keep(learn(plan, session))


def _encoded(plan: Plan, language: str, session: EncodingSession) -> tuple[NDArray, NDArray]:
    """Rows of both sides of a language's pairs."""
    target, english = plan.pairs[language]
    encoder = plan.system if plan.shared else plan.source
    X, Y = session.encode(plan.source, target), session.encode(encoder, english)
    check_varies(X, target, plan.source)
    check_varies(Y, english, encoder)
    return X, Y


def _no_alignment(plan: Plan, session: EncodingSession) -> PairedMap:
    """Identity, whose width two rows of zeros tell."""
    # Some rows show whether the encoder reads the text at all.
    texts = [text for task in plan.task.values() for text in [*dict.fromkeys(task)][:_TRIED]]
    texts = texts if len(texts) > 1 else ["width"]
    rows = session.encode(plan.source, texts)
    check_varies(rows, texts, plan.source)
    nothing = np.zeros((2, rows.shape[1]), np.float32)
    return LinearAligner("identity").fit(nothing, nothing)


def _fit_once(rows: PairedRows, language: str, plan: Plan) -> tuple[PairedMap, Evaluation]:
    """Map of target rows with its held-out evaluation, from the cache where it is there."""
    fit = partial(fit_language_map, rows, language, plan)
    if not plan.seeded or any(plan.adapter.get(name) for name in _WITH_EFFECTS):
        return fit()
    settings = {
        "language": language,
        "method": plan.method,
        "alpha": plan.alpha,
        "shared": plan.shared,
        "objective": plan.objective,
        "one encoder": plan.system is plan.source,
        "adapter": sorted(plan.adapter.items()),
        "time_budget": plan.time_budget,
        "seed": plan.seed,
    }
    fitted: tuple[PairedMap, Evaluation] = fit_cache.fetch(key_of(settings, (rows.X, rows.Y)), fit)
    return fitted


def fit_language_map(rows: PairedRows, language: str, plan: Plan) -> tuple[PairedMap, Evaluation]:
    """Choose and fit the map of target rows, and measure it on held-out ones."""
    aligner, candidates = _chosen(rows, language, plan)
    aligner.fit_rows(rows)
    same_space = not plan.shared or plan.system is plan.source
    evaluation = Evaluation(
        "language map",
        language,
        aligner.fitted_method,
        n_fit=len(rows),
        **measured(aligner, rows, plan.seed, same_space, language),
        candidates=candidates or getattr(aligner, "cv_results_", None) or {},
    )
    return aligner, evaluation


def _chosen(rows: PairedRows, language: str, plan: Plan) -> tuple[PairedMap, dict[str, list]]:
    """The unfitted map to use, and what it was chosen among."""
    if plan.method in ADAPTERS:
        return plan.adapter_for(plan.method, language), {}
    linear = LinearAligner(
        plan.method,
        alpha=plan.alpha,
        shared=plan.shared,
        objective="head" if plan.for_head else "retrieval",
        random_state=plan.seed,
    )
    if not plan.tries_adapters(len(rows)):
        return linear, {}
    adapter = plan.adapter_for("contrastive", language)
    free = adapter.adapter_dim is None and adapter.rank is None
    if free and adapter.architecture in (None, "residual"):
        adapter.set_params(adapter_dim=_ADAPTER_DIM)
    trained = AdapterCandidate(adapter)
    closed_forms = linear_candidates(
        plan.method, alpha=plan.alpha, shared=plan.shared, square=rows.square
    )
    candidates: list[MapCandidate] = [*closed_forms, trained]
    choice = choose(rows, candidates, random_state=plan.seed, time_budget=plan.time_budget)
    if choice is None:
        return linear, {}
    if choice.best is trained:
        return clone(adapter), choice.results
    return linear_aligner(choice.best, plan.seed), choice.results


def _learn_quality(
    plan: Plan, session: EncodingSession
) -> tuple[dict[str, TextQuality], dict[str, VectorQuality]]:
    """Models of the texts and the embeddings of a fit, by language; encodes nothing anew.

    A language with fewer than 20 distinct rows is left out.
    """
    if plan.embeddings is not None:
        return {}, _without_none({plan.languages[0]: _quality_of_rows(plan)})
    sides = {language: target for language, (target, _) in plan.pairs.items()}
    sides["en"] = plan.english_of_pairs
    texts, vectors = {}, {}
    for language in {**sides, **plan.task}:
        drawn = _distinct(plan.task.get(language, []), sides.get(language, []), plan.seed)
        texts[language] = _quality_of_texts(normalize_texts(drawn, plan.normalize), plan.seed)
    for language in plan.pairs:
        drawn = _distinct([], sides[language], plan.seed)
        vectors[language] = VectorQuality.fit(session.encode(plan.source, drawn), plan.seed)
    return _without_none(texts), _without_none(vectors)


def _quality_of_rows(plan: Plan) -> VectorQuality | None:
    Z = ensured(plan.embeddings, "embeddings")[0]
    distinct = np.unique(duplicate_groups(Z), return_index=True)[1]
    if len(distinct) > MAX_ROWS:
        distinct = np.random.RandomState(plan.seed).choice(distinct, MAX_ROWS, replace=False)
    return VectorQuality.fit(Z[np.sort(distinct)], plan.seed)


def _quality_of_texts(texts: list[str], seed: int) -> TextQuality | None:
    """Fitted once for the folds of a search."""
    key = key_of(("text quality", seed), texts=texts)
    model: TextQuality | None = fit_cache.fetch(key, partial(TextQuality.fit, texts, seed))
    return model


def _without_none(models: dict[str, Any]) -> dict[str, Any]:
    return {language: model for language, model in models.items() if model is not None}


def _distinct(first: Sequence[str], others: Sequence[str], seed: int) -> list[str]:
    """At most MAX_ROWS distinct texts: all of the first, filled up from the others."""
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
