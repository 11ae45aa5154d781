"""Checks of an aligner's parameters and data that come before any encoding."""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Sequence
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ._fitting import ADAPTERS, FEW_BRIDGE_ROWS, MIN_BRIDGE_ROWS
from ._inputs import Sides, pairs_from
from ._readers import MissingLanguageError
from .corpus import ParallelCorpus
from .languages import base_code
from .mapping import AdapterAligner, LinearAligner
from .mapping._adapter_checks import check_adapter_parameters
from .mapping.selection import METHODS

__all__ = [
    "CORPORA",
    "check_bridge",
    "check_pairs",
    "check_parameters",
    "fitted_aligner",
    "languages_of",
    "pairs_of_corpus",
    "thawed",
]

CORPORA = ("starter",)


def languages_of(target_lang: str | Sequence[str]) -> tuple[str, ...]:
    """The declared languages, checked."""
    languages = (target_lang,) if isinstance(target_lang, str) else tuple(target_lang)
    if not languages or not all(isinstance(lang, str) and lang for lang in languages):
        raise ValueError(
            f"target_lang must be a language code or a sequence of them, got {target_lang!r}."
        )
    if len(set(languages)) < len(languages):
        raise ValueError(f"target_lang names a language twice: {languages}.")
    if any(base_code(lang) == "en" for lang in languages):
        raise ValueError("target_lang names English, which is the language of the other side.")
    return languages


def thawed(estimator: Any) -> Any:
    """The estimator inside a frozen one."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def fitted_aligner(
    aligner: Any, texts: list[str] | None, parallel: Any, rows: str, on: str = ""
) -> Any:
    """The aligner of a meta-estimator: as it is if it is frozen, else a clone, fitted on text.

    To be called by `fit` itself, whose caller is warned. `rows` and `on` are words of messages.
    """
    if isinstance(aligner, FrozenEstimator):
        check_is_fitted(aligner)
        return aligner
    if texts is None:
        raise ValueError(
            f"{rows} embeddings, which an aligner cannot be fitted on without those of their "
            "translations: pass aligner=fitted.freeze(), fitted beforehand."
        )
    if hasattr(aligner, "language_map_"):
        warnings.warn(
            f"The aligner is fitted already, and fit() fits a clone of it{on}: pass "
            "aligner.freeze() to use it as it is.",
            stacklevel=3,
        )
    return clone(aligner).fit(texts, parallel=parallel)


def check_parameters(aligner: Any) -> None:
    """Raise for a parameter out of its range."""
    languages = languages_of(aligner.target_lang)
    space, method = aligner.output_space, aligner.method
    if space not in ("english", "target", "shared"):
        raise ValueError(f'output_space must be "english", "target" or "shared", got {space!r}.')
    if method not in ("auto", *METHODS, *ADAPTERS):
        raise ValueError(f"method must be one of {('auto', *METHODS, *ADAPTERS)}, got {method!r}.")
    if space == "shared" and method not in ("auto", "spectral", "contrastive"):
        raise ValueError(
            f'output_space="shared" goes with method="auto", "spectral" or "contrastive", got '
            f"{method!r}."
        )
    if method not in ADAPTERS:
        LinearAligner(method, alpha=aligner.alpha, shared=space == "shared")._check_parameters()
    if space != "english" and len(languages) > 1:
        raise ValueError(f"output_space={space!r} needs one target_lang: English rows move too.")
    if space == "target" and aligner.english_encoder is not None:
        raise ValueError(
            'output_space="target" encodes English rows with the multilingual encoder; leave '
            "english_encoder=None. To move vectors of an English system, fit with "
            'output_space="english" and use inverse_transform.'
        )
    _check_adapters(aligner)
    strength = aligner.bridge_alpha
    if not isinstance(strength, numbers.Real) or not float(strength) >= 0:
        raise ValueError(f"bridge_alpha must be a non-negative number, got {strength!r}.")


def _check_adapters(aligner: Any) -> None:
    if aligner.bridge_method not in ("spectral", *ADAPTERS):
        raise ValueError(
            f"bridge_method must be one of {('spectral', *ADAPTERS)}, got "
            f"{aligner.bridge_method!r}."
        )
    budget = aligner.time_budget
    if budget is not None and (
        isinstance(budget, bool) or not isinstance(budget, numbers.Real) or not float(budget) >= 0
    ):
        raise ValueError(f"time_budget must be a number of seconds or None, got {budget!r}.")
    given = aligner.adapter_params
    if given is not None and not isinstance(given, dict):
        raise ValueError(
            f"adapter_params must be a dict of parameters of AdapterAligner, got {given!r}."
        )
    known = {*AdapterAligner().get_params()} - {"loss", "adapter_dim", "shared", "warm_start"}
    unknown = sorted({*(given or {})} - known, key=str)
    if unknown:
        raise ValueError(
            f"adapter_params has {', '.join(map(repr, unknown))}, and knows {sorted(known)}."
        )
    maps = [("contrastive" if aligner.method == "auto" else aligner.method, "language map")]
    maps.append((aligner.bridge_method, "bridge"))
    for loss, place in maps:
        if loss in ADAPTERS:
            shared = aligner.output_space == "shared" and place == "language map"
            adapter = AdapterAligner(
                loss, adapter_dim=aligner.adapter_dim, shared=shared, **(given or {})
            )
            check_adapter_parameters(adapter, square=True)


def check_pairs(pairs: dict[str, Sides], languages: Sequence[str], given: bool) -> list[str]:
    """Raise for too few pairs; notes on languages without any."""
    if given and not pairs:
        raise ValueError("No translation pairs were passed: at least 2 are needed.")
    for language, (target, _) in pairs.items():
        if len(target) < 2:
            raise ValueError(
                f"There is only {len(target)} translation pair for {language!r}, and at least 2 are "
                "needed. Pass more, or corpus=None and no pairs at all."
            )
    return [
        f"There are no translation pairs for {language!r}: its language map is the identity, and "
        "nothing can be said about its quality."
        for language in languages
        if language not in pairs
    ]


def check_bridge(task: Sequence[str], general: Sequence[str]) -> list[str]:
    """Raise for fewer English rows than a bridge needs; notes on a doubtful number."""
    n = len({*task, *general})
    if n < MIN_BRIDGE_ROWS:
        raise ValueError(
            f"The bridge to english_encoder learns from English text, and found {n} distinct English "
            f"rows; it needs at least {MIN_BRIDGE_ROWS}, better {FEW_BRIDGE_ROWS}. Put English text "
            "into X (in a Pipeline: the training texts), or pass pairs."
        )
    if n < FEW_BRIDGE_ROWS:
        return [
            f"The bridge to english_encoder has only {n} distinct English rows to learn from; below "
            f"{FEW_BRIDGE_ROWS} accuracy falls."
        ]
    return []


def pairs_of_corpus(corpus: Any, languages: Sequence[str]) -> dict[str, Sides]:
    """Pairs of the languages that a built-in corpus or a file has."""
    if corpus is None:
        return {}
    if corpus in CORPORA:
        from .datasets import load_starter_corpus

        known = [lang for lang in languages if base_code(lang) in ("ko", "ja", "zh")]
        return {lang: _sides(load_starter_corpus(base_code(lang))) for lang in known}
    if not isinstance(corpus, str | os.PathLike):
        raise ValueError(
            f"corpus must be the name of a built-in corpus, a path or None, got "
            f"{type(corpus).__name__}. Pairs in memory go to fit as parallel=."
        )
    path = os.fspath(corpus)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"corpus={path!r} is neither a file nor the name of a built-in corpus "
            f"({', '.join(map(repr, CORPORA))}). Pass None for no pairs."
        )
    out: dict[str, Sides] = {}
    for language in languages:
        try:
            read = ParallelCorpus.read(path, language)
        except MissingLanguageError:
            continue  # the language gets no map, and a warning
        out.update(pairs_from(read, None, [language]))
    return out


def _sides(corpus: ParallelCorpus) -> Sides:
    return list(corpus.target), list(corpus.source)
