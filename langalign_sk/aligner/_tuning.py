"""The warning for a search whose held-out rows cannot tell one language map from another.

English rows bypass the language map of ``output_space="english"``. A search that scores English rows
alone therefore compares maps by scores that are equal. It shows in what the clones of one aligner are
asked for: the same English rows, under other settings of the map, and no row of another language.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .._utils.lineage import keep_here, kin_of, say_once, varied
from ..encoders.base import TextEncoder

__all__ = ["exempt_from_tuning", "note_fit", "note_rows"]

# What moves target rows alone.
_OF_MAP = (
    "method",
    "alpha",
    "adapter_dim",
    "adapter_params",
    "objective",
    "time_budget",
)
# What moves target rows alone, unless English rows pass the bridge as well.
_OF_BRIDGE = ("bridge_method", "bridge_alpha", "corpus")
_KEY = "a search by English rows"
_MESSAGE = (
    "Only English rows are held out here, and they bypass the language map: accuracy on them is the "
    "same for all settings of {names}, and says nothing about target-language rows. Choose them by "
    "retrieval on translation pairs (scoring=make_retrieval_scorer()), or by labelled target-language "
    "rows (cv=CrossLingualSplit()); both are in langalign_sk.model_selection."
)


def note_rows(
    aligner: Any, texts: Sequence[str], languages: Sequence[str], *, bridged: bool = False
) -> None:
    """Warn where clones of one aligner are compared on English rows, once for all of them.

    Parameters
    ----------
    aligner : CrossLingualAligner
        Fitted on text.
    texts, languages : sequence of str
        Rows that are moved, and their languages.
    bridged : bool, default=False
        Whether English rows pass the bridge.
    """
    kin = kin_of(aligner)
    watched = [one for one in kin[1:] if not one.exempt and _KEY not in one.said]
    if not watched or not texts:  # no clone, or nothing more to say
        return
    if aligner.output_space != "english" or any(language != "en" for language in languages):
        for one in kin:
            one.exempt = True  # target rows are looked at
        return
    tied, told = _settings(aligner, bridged)
    rows = hash((tuple(texts), told))
    if any(one.differs(rows, tied) for one in watched):
        _say(aligner, bridged)


def note_fit(aligner: Any, languages: Sequence[str]) -> None:
    """Warn where a search in other processes has compared maps on English rows.

    A search fits the best candidate once more, on all rows, in the process that it was called in.

    Parameters
    ----------
    aligner : CrossLingualAligner
        Before its fit on task text.
    languages : sequence of str
        Of all rows of the fit.
    """
    keep_here(aligner)
    searched = varied(aligner) & {*_names_of_map(aligner)}
    if not searched or aligner.output_space != "english":
        return
    if any(language != "en" for language in languages):
        return
    kin = kin_of(aligner)[1:]
    if any(one.sent and not one.exempt and _KEY not in one.said for one in kin):
        _say(aligner, False)


def exempt_from_tuning(aligner: Any) -> None:
    """Leave a fit out whose English rows pass the bridge, so that scores on them differ.

    Parameters
    ----------
    aligner : CrossLingualAligner
        With `cross_fit`.
    """
    for one in kin_of(aligner):
        one.exempt = True


def _say(aligner: Any, bridged: bool) -> None:
    names = [name for name in _names_of_map(aligner, bridged) if name in varied(aligner)]
    listed = ", ".join(names) if names else "the map"
    say_once(aligner, f"{_KEY} over {listed}", _MESSAGE.format(names=listed))
    for one in kin_of(
        aligner
    ):  # one search, whatever else it varies; another one has kin of its own
        one.said.add(_KEY)


def _names_of_map(aligner: Any, bridged: bool = False) -> tuple[str, ...]:
    """Parameters that scores of English rows do not depend on."""
    if bridged:
        return _OF_MAP
    other = ("encoder",) if aligner.english_encoder is not None else ()
    return (*_OF_MAP, *_OF_BRIDGE, *other)


def _settings(aligner: Any, bridged: bool) -> tuple[str, str]:
    """Settings that English rows do not depend on, and those of their encoder."""
    names = _names_of_map(aligner, bridged)
    tied = repr([(name, _as_text(getattr(aligner, name))) for name in names])
    encoder = aligner.english_encoder
    told = [encoder if encoder is not None else aligner.encoder]
    if bridged:
        told.append(aligner.encoder)
    return tied, repr([_as_text(one) for one in told])


def _as_text(value: Any) -> str:
    """A value as text; objects of the user's own, which clones share, by identity."""
    if isinstance(value, TextEncoder):
        return repr((type(value).__name__, sorted(value.get_params().items(), key=str)))
    if value is None or isinstance(value, str | int | float | dict | list | tuple | os.PathLike):
        return repr(value)
    return f"{type(value).__name__} {id(value)}"
