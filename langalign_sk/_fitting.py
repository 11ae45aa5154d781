"""Fitting the two maps of an aligner, and measuring them on rows they did not see."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from ._fit_cache import fitted_once
from ._inputs import Sides
from .encoders import EncodingSession
from .encoders.handles import Encoder
from .inspection.report import Evaluation
from .mapping import AdapterAligner, LinearAligner
from .mapping._adapter_checks import ARCHITECTURES
from .mapping._base import PairedMap
from .mapping._trained import Trained
from .mapping.selection import Candidate, choose, held_out_pairs
from .metrics.pairs import duplicate_groups, retrieval_scores
from .trust import doubts_of_hubs, failures, hubness_of_pairs, measure_pairs

__all__ = ["ADAPTERS", "Setting", "doubts", "fit_language_map", "fit_maps", "method_of"]

ADAPTERS = tuple(ARCHITECTURES)
# Below, what an adapter gains on held-out pairs was within the noise, in all three languages that
# it was measured in.
MIN_ADAPTER_PAIRS = 2_000
# A linear adapter finds as many translations; on English heads, this one lost less. Measured on
# held-out pairs, and on dev rows and target-language training rows of the tasks.
_ADAPTER_DIM = 256

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


def method_of(aligner: PairedMap) -> str:
    """The method that a map was fitted by, in the words of CrossLingualAligner."""
    return aligner.method_ if isinstance(aligner, LinearAligner) else aligner.loss


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


def _linear(candidate: Candidate, seed: int) -> LinearAligner:
    alpha, power = ("auto" if v is None else v for v in (candidate.alpha, candidate.power))
    return LinearAligner(
        candidate.method,
        alpha=alpha,
        power=power,
        rank=candidate.rank,
        shared=candidate.shared,
        random_state=seed,
    )


def _again(aligner: PairedMap) -> PairedMap:
    """The same map, unfitted, to be fitted on fewer rows."""
    if isinstance(aligner, LinearAligner):
        return _linear(_candidate(aligner), 0).set_params(match_scale=aligner.match_scale)
    return clone(aligner).set_params(checkpoint=None, verbose=False, inverse=False)


def _measured(
    aligner: PairedMap,
    X: NDArray,
    Y: NDArray,
    seed: int,
    same_space: bool,
    weight: NDArray | None = None,
) -> dict[str, Any]:
    """What an Evaluation says about rows that the map did not see."""
    if isinstance(aligner, LinearAligner):
        found = held_out_pairs(
            X,
            Y,
            _candidate(aligner),
            sample_weight=weight,
            random_state=check_random_state(seed),
            match_scale=aligner.match_scale and not aligner.shared,
        )
        if found is None:
            return {"n_held_out": 0, "unaligned": None, "aligned": None}
        rows, moved, counterparts, groups = found
    else:
        rows = aligner.held_out_indices_  # an adapter is not trained again to be measured
        if len(rows):
            groups = duplicate_groups(X[rows], Y[rows])
            moved, counterparts = aligner._there(X[rows]), aligner._across(Y[rows])
    if not len(rows):
        return {"n_held_out": 0, "unaligned": None, "aligned": None}
    same_space = same_space and X.shape[1] == Y.shape[1]
    before = (X[rows], Y[rows]) if same_space else None
    return _scores(before, (moved, counterparts), groups, seed)


def _scores(
    before: tuple[NDArray, NDArray] | None,
    after: tuple[NDArray, NDArray],
    groups: NDArray,
    seed: int,
) -> dict[str, Any]:
    """What an Evaluation says about both sides of pairs, without a map and with it."""
    return {
        "n_held_out": len(groups),
        "unaligned": before and retrieval_scores(*before, groups=groups),
        "aligned": retrieval_scores(*after, groups=groups),
        "unaligned_hubness": before and hubness_of_pairs(*before, seed),
        **vars(measure_pairs(*after, groups, seed)),
    }


def doubts(evaluations: Sequence[Evaluation]) -> list[str]:
    """Warnings that held-out scores give reason to."""
    out = failures(evaluations)
    for e in evaluations:
        if e.unaligned and e.aligned and e.aligned.recall_at_1 < e.unaligned.recall_at_1:
            out.append(
                f"The {e.part} of {e.language!r} finds fewer held-out translations than no alignment "
                f"({e.aligned.recall_at_1:.3f} against {e.unaligned.recall_at_1:.3f})."
            )
        if e.part == "language map" and e.aligned is None:
            out.append(
                f"{e.n_fit} pairs of {e.language!r} are too few to hold any out and measure."
                if e.method not in ADAPTERS
                else f"The {e.method} map of {e.language!r} was trained without held-out pairs, and "
                "is not measured."
            )
        out += doubts_of_hubs(e)
    return out


def _candidate(aligner: LinearAligner) -> Candidate:
    a = aligner
    return Candidate(a.method_, a.alpha_, a.power_, a.rank_, shared=a.shared)


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
        self._setting = setting

    def fit(self, rows: NDArray | None = None) -> PairedMap:
        """The map that all or some of the rows give."""
        s = self._setting
        some = slice(None) if rows is None else rows
        if s.bridge_method in ADAPTERS:
            adapter: PairedMap = s.adapter_for(s.bridge_method, "bridge")
            # Rows are not weighted here; an adapter for part of them is only to be measured.
            adapter = adapter if rows is None else _again(adapter)
            return adapter.fit(self.X[some], self.Y[some])
        aligner = LinearAligner(
            "spectral", alpha=s.bridge_alpha, power=BRIDGE_POWER, match_scale=True
        )
        return aligner.fit(self.X[some], self.Y[some], sample_weight=self.weight[some])

    def fit_and_evaluate(self) -> tuple[PairedMap, Evaluation]:
        """The map of all rows, with its held-out evaluation on English."""
        aligner = self.fit()
        evaluation = Evaluation(
            "bridge",
            "en",
            method_of(aligner),
            n_fit=len(self.texts),
            **_measured(aligner, self.X, self.Y, self._setting.seed, False, self.weight),
        )
        return aligner, evaluation


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
    moved = bridge.fit(kept)._there(there._there(X[held]))
    truth = encode(s.system, [english[i] for i in rows])
    straight = encode(s.system, [targets[i] for i in rows])
    return Evaluation(
        "end to end",
        language,
        f"{method_of(language_map)} + bridge",
        n_fit=len(targets),
        **_scores((straight, truth), (moved, truth), groups[held], s.seed),
    )
