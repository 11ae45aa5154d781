"""Table of the parameters of a CrossLingualAligner that have no effect under others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from .._utils.idle import Idle, IdleSettings, find_idle, passed
from ..mapping import AdapterAligner
from ..mapping.candidates import METHODS
from ..mapping.idle import WITHOUT_STRENGTH, idle_of_adapter, leaves_no_choice
from ..mapping.settings import ARCHITECTURES

__all__ = ["Situation", "idle_settings"]


@dataclass(frozen=True)
class Situation:
    """What decides which parameters of an aligner have an effect on a fit.

    Attributes
    ----------
    aligner : CrossLingualAligner
        Its parameters were checked.
    given : bool
        Whether pairs or embeddings were passed to `fit`.
    learns : bool
        Whether there is anything to learn a language map from.
    one_encoder : bool
        Whether the English system uses the multilingual encoder.
    bridged : bool
        Whether a bridge is learned.
    enough : bool
        Whether there are enough pairs for "auto" to train adapters.
    """

    aligner: Any
    given: bool
    learns: bool
    one_encoder: bool
    bridged: bool
    enough: bool

    @property
    def method(self) -> str:
        """Method of the language map."""
        return str(self.aligner.method)

    @property
    def closed(self) -> bool:
        """Whether the language map is a closed form by name."""
        return self.method in METHODS

    @property
    def tries(self) -> bool:
        """Whether "auto" trains an adapter."""
        aligner = self.aligner
        asked = self.method == "auto" and aligner.objective != "head" and aligner.time_budget != 0
        return asked and self.enough

    @property
    def trains(self) -> bool:
        """Whether any adapter is trained."""
        trained = self.method in ARCHITECTURES and self.learns
        bridge = self.bridged and self.aligner.bridge_method in ARCHITECTURES
        return trained or bridge or self.tries

    @property
    def no_named_encoder(self) -> bool:
        """Whether all encoders are objects, which have a device of their own."""
        encoders = (self.aligner.encoder, self.aligner.english_encoder)
        return not any(isinstance(encoder, str | os.PathLike) for encoder in encoders)


_NETWORKS = ("adapter_dim", "adapter_params")
_GOVERN_ADAPTERS = ("method", "objective", "time_budget", "bridge_method", "corpus", "target_lang")

# `target_lang`, `encoder`, `detect`, `output_space` and `random_state` always have an effect: what was
# fitted on embeddings may transform text.
_TABLE = (
    Idle(
        _NETWORKS,
        lambda s: not s.trains and s.closed,
        "method={s.method!r} is a closed form, and no adapter is trained",
        _GOVERN_ADAPTERS,
        ({},),
    ),
    Idle(
        ("method", "alpha", "objective", "time_budget"),
        lambda s: not s.learns and s.aligner.corpus is None,
        "corpus=None and there are no pairs to learn a language map from",
        ("corpus",),
        ("identity", 0),
    ),
    Idle(
        ("alpha",),
        lambda s: s.method in WITHOUT_STRENGTH,
        "method={s.method!r} has no regularisation",
        ("method",),
    ),
    Idle(
        ("alpha",),
        lambda s: s.method in ARCHITECTURES,
        "only closed forms have a regularisation strength, and method={s.method!r} is trained",
        ("method",),
    ),
    Idle(
        ("objective",),
        lambda s: s.closed and leaves_no_choice(s.method, s.aligner.alpha),
        "method={s.method!r} with these settings is a single map, so there is nothing to choose",
        ("method", "alpha"),
    ),
    Idle(
        ("time_budget",),
        lambda s: s.method != "auto",
        'only method="auto" compares adapters within a time',
        ("method",),
        (0,),
    ),
    Idle(
        _NETWORKS,
        lambda s: not s.trains and s.aligner.objective == "head",
        'objective="head", as inside a CrossLingualClassifier, compares closed forms only',
        _GOVERN_ADAPTERS,
        ({},),
    ),
    Idle(
        _NETWORKS,
        lambda s: not s.trains and s.aligner.time_budget == 0,
        "time_budget=0 compares closed forms only",
        _GOVERN_ADAPTERS,
        ({},),
    ),
    Idle(
        _NETWORKS,
        lambda s: not s.trains and s.learns,
        'method="auto" trains adapters only with 2,000 pairs of a language or more, and there are '
        'fewer; method="contrastive" trains one with any number',
        _GOVERN_ADAPTERS,
        ({},),
    ),
    Idle(
        _NETWORKS,
        lambda s: not s.trains and s.aligner.corpus is None,
        "corpus=None and there are no pairs to train an adapter on",
        _GOVERN_ADAPTERS,
        ({},),
    ),
    Idle(
        ("english_encoder",),
        lambda s: s.one_encoder,
        "it is the multilingual encoder itself; leave it None",
        ("encoder",),
    ),
    Idle(
        ("bridge_method", "bridge_alpha"),
        lambda s: not s.bridged,
        "no bridge is learned: it needs text, an english_encoder of its own and output_space="
        '"english"',
        ("english_encoder", "output_space", "encoder"),
    ),
    Idle(
        ("bridge_alpha",),
        lambda s: s.aligner.bridge_method in ARCHITECTURES,
        "only a spectral bridge has a regularisation strength, and "
        "bridge_method={s.aligner.bridge_method!r} is trained",
        ("bridge_method",),
    ),
    Idle(
        ("corpus",),
        lambda s: s.given,
        "pairs were passed to fit, so the corpus is not read",
        (),
        (None,),
    ),
    Idle(
        ("device",),
        lambda s: s.no_named_encoder and not s.trains,
        "encoders that are objects choose their own device, and no adapter is trained",
        ("encoder", "english_encoder", *_GOVERN_ADAPTERS),
    ),
)


def idle_settings(situation: Situation) -> list[IdleSettings]:
    """Parameters of an aligner that were passed and have no effect on a fit.

    Parameters
    ----------
    situation : Situation
        What decides it.

    Returns
    -------
    list of IdleSettings
        Empty where all have an effect. Entries of `adapter_params` are among them, for a method that
        is trained.
    """
    aligner = situation.aligner
    found = find_idle(passed(aligner), _TABLE, situation)
    entries = aligner.adapter_params
    if entries and aligner.method in ARCHITECTURES and situation.learns and not situation.bridged:
        shared = aligner.output_space == "shared"
        adapter = AdapterAligner(
            aligner.method, adapter_dim=aligner.adapter_dim, shared=shared, **entries
        )
        found += idle_of_adapter(adapter, entries, "adapter_params[{!r}]")
    return found
