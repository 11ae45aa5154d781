"""Checks of an aligner's parameters and data that come before any encoding."""

from __future__ import annotations

import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..corpus._inputs import Sides
from ..encoders import EncodingSession
from ..encoders.objects import Encoder
from ..languages import languages_of
from ..mapping import AdapterAligner, LinearAligner
from ..mapping.adapter import ARCHITECTURES, check_adapter_parameters
from ..mapping.candidates import METHODS

__all__ = ["ADAPTERS", "Setting", "check_bridge", "check_pairs", "check_parameters"]


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


ADAPTERS = tuple(ARCHITECTURES)
MIN_BRIDGE_ROWS = 20
FEW_BRIDGE_ROWS = 200


@dataclass
class Setting:
    """All that a fit needs besides the texts."""

    source: Encoder
    system: Encoder  # the English system's; the same object as source without a bridge
    session: EncodingSession
    method: str
    alpha: object
    bridge_method: str
    bridge_alpha: float
    shared: bool
    adapter: dict[str, Any]  # parameters of AdapterAligner
    time_budget: float | None
    seed: int
    seeded: bool  # by an int, so that another fit draws the same

    def adapter_for(self, loss: str, place: str) -> AdapterAligner:
        """An unfitted adapter, with a checkpoint folder of its own."""
        parameters = dict(self.adapter)
        folder = parameters.get("checkpoint")
        if folder is not None:
            parameters["checkpoint"] = os.path.join(folder, place)
        parameters = {"random_state": self.seed, **parameters}
        return AdapterAligner(loss, shared=self.shared and place != "bridge", **parameters)
