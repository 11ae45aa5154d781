"""Table of the parameters of a retriever that have no effect under others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._utils.idle import Idle, IdleSettings, find_idle, passed

__all__ = ["idle_of_retriever"]


@dataclass(frozen=True)
class _Situation:
    """What decides which parameters of a retriever have an effect on a fit."""

    retriever: Any
    fused: bool
    judged: bool


# `n_neighbors`, `backend_params`, `centre` and `lexical` have an effect, or raise.
_TABLE = (
    Idle(
        ("hub_neighbors",),
        lambda s: s.retriever.scoring not in ("csls", "margin", "auto"),
        'scoring={s.retriever.scoring!r} does not look at neighbours; "csls" and "margin" do',
        ("scoring",),
    ),
    Idle(
        ("temperature",),
        lambda s: (
            s.retriever.scoring not in ("inverted_softmax", "query_bank")
            and not (s.retriever.scoring == "auto" and s.judged)
        ),
        "scoring={s.retriever.scoring!r} does not use a softmax here; "
        '"inverted_softmax" and "query_bank" do',
        ("scoring",),
    ),
    Idle(
        ("fusion", "weights", "n_candidates"),
        lambda s: not s.fused,
        "there is one view, and nothing to fuse",
        ("aligner", "lexical"),
    ),
)


def idle_of_retriever(retriever: Any, fused: bool, judged: bool) -> list[IdleSettings]:
    """Parameters of a CrossLingualRetriever that were passed and have no effect.

    Parameters
    ----------
    retriever : CrossLingualRetriever
        Its parameters were checked.
    fused : bool
        Whether there are several scores.
    judged : bool
        Whether there are judgements.

    Returns
    -------
    list of IdleSettings
        Empty where all have an effect.
    """
    return find_idle(passed(retriever), _TABLE, _Situation(retriever, fused, judged))
