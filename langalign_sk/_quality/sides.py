"""Quality of the two sides of pairs as text: their language, copies, and sentences that are cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..languages import script_of, scripts_of_language

__all__ = ["faults_of_sides"]

_MOST_ROWS = 1_000
# `python -m benchmarks scores --only trust` counts how many sound corpora have such shares.
_FOREIGN_SHARE, _COPIED_SHARE, _CUT_SHARE = 0.25, 0.25, 0.05
_FEW = 10  # pairs that say nothing
_SHORTEST_CUT = 12  # letters; labels and names have one length more often
_BEGINNING, _BEGINNINGS = 4, 6  # letters, and how many of them differ in sentences of any kind
_SPIKE = 3  # times as many rows as of any of the five lengths below


def faults_of_sides(target: Sequence[str], english: Sequence[str], language: str) -> list[str]:
    """Reasons to doubt pairs of text, each with its remedy.

    Parameters
    ----------
    target, english : sequence of str
        The two sides.
    language : str
        What the target side is said to be written in.

    Returns
    -------
    list of str
        One sentence or two a fault; empty for sound pairs.
    """
    if len(target) < _FEW:
        return []
    rows = np.linspace(0, len(target) - 1, min(len(target), _MOST_ROWS)).astype(int)
    target, english = [target[i] for i in rows], [english[i] for i in rows]
    faults = _of_languages(target, english, language)
    pairs = zip(target, english, strict=True)
    copies = np.mean([t.casefold().split() == e.casefold().split() for t, e in pairs])
    if copies >= _COPIED_SHARE:
        faults.append(
            f"{copies:.0%} of the pairs of {language!r} hold the same text on both sides: leave "
            "untranslated rows out, for instance by ParallelCorpus(...).clean()."
        )
    for side, texts in ((f"target side of {language!r}", target), ("English side", english)):
        longest = _cut_at(texts)
        if longest:
            share = np.mean([len(t) == longest for t in texts])
            faults.append(
                f"The {side} is cut: {share:.0%} of its sentences have {longest} letters, and none is "
                "longer. Pass whole sentences."
            )
    return faults


def _of_languages(target: list[str], english: list[str], language: str) -> list[str]:
    """Faults of the scripts of both sides."""
    faults = []
    own = scripts_of_language(language)
    scripts = [script_of(text) for text in target]
    if own:
        foreign = [s for s in scripts if s not in own]
        # Nearly every Japanese sentence has kana, and no Chinese one.
        if own[0] == "Kana" and 2 * scripts.count("Kana") < len(scripts):
            foreign = [s for s in scripts if s != "Kana"]
        if len(foreign) >= _FOREIGN_SHARE * len(scripts):
            most = max(set(foreign), key=foreign.count)
            faults.append(
                f"{len(foreign) / len(scripts):.0%} of the target sentences are not written in the "
                f"script of {language!r}, most of them in {most}: pass the pairs as those of their "
                "language."
            )
    share = np.mean([script_of(text) != "Latin" for text in english])
    if share >= _FOREIGN_SHARE:
        faults.append(
            f"{share:.0%} of the English sentences of the pairs of {language!r} are not written in "
            "Latin script: pairs are [target, English], in this order."
        )
    return faults


def _cut_at(texts: list[str]) -> int | None:
    """Length that many sentences have and none exceeds, unless lengths are alike by nature."""
    counts = np.bincount([len(text) for text in texts])
    longest, least = len(counts) - 1, _CUT_SHARE * len(texts)
    if longest < _SHORTEST_CUT or counts[-1] < least:
        return None
    if len({text[:_BEGINNING] for text in texts}) < _BEGINNINGS:  # "number 1", "number 2"
        return None
    return longest if counts[-1] >= _SPIKE * counts[-6:-1].max() else None
