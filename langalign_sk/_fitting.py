"""Fitting the two maps of an aligner, and measuring them on rows they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ._inputs import Sides
from .encoders import EncodingSession
from .encoders.handles import Encoder
from .inspection.report import Evaluation
from .mapping import LinearAligner
from .mapping.selection import Candidate, held_out_scores
from .metrics import duplicate_groups, retrieval_scores

__all__ = ["Setting", "doubts", "fit_language_map", "fit_maps"]

MIN_BRIDGE_ROWS = 20
FEW_BRIDGE_ROWS = 200
# Chosen on SIB-200 dev rows and on agreement over training pairs, never on test rows.
BRIDGE_POWER = 0.5
# All English text that is not the task's own counts as much as this many task rows, and no
# more of it is encoded than pays off.
_GENERAL_WEIGHT = 100
_GENERAL_ROWS = 2_000
_END_TO_END_ROWS = 200


@dataclass
class Setting:
    """All that a fit on text needs besides the texts."""

    source: Encoder
    system: Encoder  # the English system's; the same object as source without a bridge
    session: EncodingSession
    method: str
    alpha: object
    bridge_alpha: float
    seed: int


def fit_maps(
    pairs: dict[str, Sides], task: list[str], languages: Sequence[str], setting: Setting
) -> tuple[dict[str, LinearAligner], LinearAligner | None, list[Evaluation]]:
    """Language maps, the bridge where there is a second encoder, and their held-out scores."""
    s = setting
    maps: dict[str, LinearAligner] = {}
    evaluations: list[Evaluation] = []
    for language in languages:
        if language not in pairs:
            # Two rows of zeros tell an identity its width.
            nothing = np.zeros((2, s.session.encode(s.source, ["width"]).shape[1]), np.float32)
            maps[language] = LinearAligner("identity").fit(nothing, nothing)
            continue
        X, Y = (s.session.encode(s.source, side) for side in pairs[language])
        maps[language], evaluation = fit_language_map(X, Y, language, s.method, s.alpha, s.seed)
        evaluations.append(evaluation)
    if s.system is s.source:
        return maps, None, evaluations
    bridge = Bridge(task, [t for _, english in pairs.values() for t in english], setting)
    bridge_map, evaluation = bridge.fit_and_evaluate()
    evaluations.append(evaluation)
    for language, sides in pairs.items():
        whole = _end_to_end(sides, language, maps[language], bridge, setting)
        evaluations += [whole] if whole else []
    return maps, bridge_map, evaluations


def fit_language_map(
    X: NDArray, Y: NDArray, language: str, method: str, alpha: object, seed: int
) -> tuple[LinearAligner, Evaluation]:
    """Map from target rows to English rows, with its held-out evaluation."""
    aligner = LinearAligner(method, alpha=alpha, random_state=seed).fit(X, Y)
    scores = held_out_scores(X, Y, _candidate(aligner), random_state=check_random_state(seed))
    unaligned, aligned, n_held_out = scores or (None, None, 0)
    evaluation = Evaluation(
        "language map",
        language,
        aligner.method_,
        n_fit=len(X),
        n_held_out=n_held_out,
        unaligned=unaligned,
        aligned=aligned,
        candidates=aligner.cv_results_ or {},
    )
    return aligner, evaluation


def doubts(evaluations: Sequence[Evaluation]) -> list[str]:
    """Warnings that held-out scores give reason to."""
    out = []
    for e in evaluations:
        if e.unaligned and e.aligned and e.aligned.recall_at_1 < e.unaligned.recall_at_1:
            out.append(
                f"The {e.part} of {e.language!r} finds fewer held-out translations than no alignment "
                f"({e.aligned.recall_at_1:.3f} against {e.unaligned.recall_at_1:.3f})."
            )
        if e.part == "language map" and e.aligned is None:
            out.append(
                f"{e.n_fit} pairs of {e.language!r} are too few to hold any out and measure."
            )
    return out


def _candidate(aligner: LinearAligner) -> Candidate:
    return Candidate(aligner.method_, aligner.alpha_, aligner.power_, aligner.rank_)


class Bridge:
    """English rows of both encoders, and the weights that the task's own text has among them."""

    def __init__(self, task: list[str], general: list[str], setting: Setting) -> None:
        seen = set(task)
        general = [t for t in dict.fromkeys(general) if t not in seen]
        if task and len(general) > _GENERAL_ROWS:
            draw = check_random_state(setting.seed)
            keep = np.sort(draw.choice(len(general), _GENERAL_ROWS, replace=False))
            general = [general[i] for i in keep]
        task = list(dict.fromkeys(task))
        self.texts = task + general
        self.X = setting.session.encode(setting.source, self.texts)
        self.Y = setting.session.encode(setting.system, self.texts)
        self.weight = np.ones(len(self.texts), dtype=self.X.dtype)
        if task and len(general) > _GENERAL_WEIGHT:
            self.weight[len(task) :] = _GENERAL_WEIGHT / len(general)
        self._alpha = setting.bridge_alpha
        self._seed = setting.seed

    def fit(self, rows: NDArray | slice = slice(None)) -> LinearAligner:
        """The map that some of the rows give."""
        aligner = LinearAligner("spectral", alpha=self._alpha, power=BRIDGE_POWER, match_scale=True)
        return aligner.fit(self.X[rows], self.Y[rows], sample_weight=self.weight[rows])

    def fit_and_evaluate(self) -> tuple[LinearAligner, Evaluation]:
        """The map of all rows, with its held-out evaluation on English."""
        aligner = self.fit()
        scores = held_out_scores(
            self.X,
            self.Y,
            _candidate(aligner),
            sample_weight=self.weight,
            random_state=check_random_state(self._seed),
            same_space=False,
            match_scale=True,
        )
        _, aligned, n_held_out = scores or (None, None, 0)
        evaluation = Evaluation(
            "bridge",
            "en",
            aligner.method_,
            n_fit=len(self.texts),
            n_held_out=n_held_out,
            unaligned=None,
            aligned=aligned,
        )
        return aligner, evaluation


def _end_to_end(
    sides: Sides, language: str, language_map: LinearAligner, bridge: Bridge, setting: Setting
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
    used = _candidate(language_map)
    there = LinearAligner(used.method, alpha=used.alpha, power=used.power, rank=used.rank)
    there.fit(X[~held], Y[~held])
    moved = bridge.fit(kept).transform(there.transform(X[held]))
    truth = encode(s.system, [english[i] for i in rows])
    straight = encode(s.system, [targets[i] for i in rows])
    return Evaluation(
        "end to end",
        language,
        f"{used.method} + bridge",
        n_fit=len(targets),
        n_held_out=len(rows),
        unaligned=retrieval_scores(straight, truth, groups=groups[held]),
        aligned=retrieval_scores(moved, truth, groups=groups[held]),
    )
