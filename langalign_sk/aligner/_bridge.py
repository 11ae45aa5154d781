"""The bridge: a map from the multilingual encoder to another English encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..encoders import EncodingSession
from ..encoders.session import check_varies
from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.candidates import Candidate
from ..mapping.rows import HeldOutRows, PairedRows
from ._evidence import measured, scores_of_pairs
from ._plan import ADAPTERS, MIN_BRIDGE_ROWS, Plan
from ._report import Evaluation

__all__ = ["BRIDGE_POWER", "Bridge"]

# `python -m benchmarks accuracy` measures the bridge.
BRIDGE_POWER = 0.5
# All English text that is not the task's own counts as much as this many task rows, and no
# more of it is encoded than pays off.
_GENERAL_WEIGHT = 100
_GENERAL_ROWS = 2_000
_END_TO_END_ROWS = 200


class Bridge:
    """English rows of both encoders with their weights, and the maps that they give.

    Parameters
    ----------
    plan : Plan
        With the English task text and the pairs, whose English sides are general text.
    session : EncodingSession
        Encodes the rows.
    """

    def __init__(self, plan: Plan, session: EncodingSession) -> None:
        task, general = plan.task["en"], plan.english_of_pairs
        seen = set(task)
        general = [t for t in dict.fromkeys(general) if t not in seen]
        if task and len(general) > _GENERAL_ROWS:
            draw = check_random_state(plan.seed)
            keep = np.sort(draw.choice(len(general), _GENERAL_ROWS, replace=False))
            general = [general[i] for i in keep]
        task = list(dict.fromkeys(task))
        self.texts = task + general
        X = session.encode(plan.source, self.texts)
        Y = session.encode(plan.system, self.texts)
        check_varies(X, self.texts, plan.source)
        check_varies(Y, self.texts, plan.system)
        weight = None
        if plan.bridge_method not in ADAPTERS:  # adapters do not weight their rows
            weight = np.ones(len(self.texts), dtype=X.dtype)
            if task and len(general) > _GENERAL_WEIGHT:
                weight[len(task) :] = _GENERAL_WEIGHT / len(general)
        self.rows = LinearAligner().check_rows(X, Y, weight)
        self.plan, self.session = plan, session

    def fit(self, indices: NDArray | None = None) -> PairedMap:
        """Fit the map on all rows, or on some of them."""
        plan, rows = self.plan, self.rows if indices is None else self.rows.take(indices)
        if plan.bridge_method in ADAPTERS:
            adapter: PairedMap = plan.adapter_for(plan.bridge_method, "bridge")
            if indices is not None:  # this one is only to be measured
                adapter = adapter.unfitted_twin()
            fitted: PairedMap = adapter.fit_rows(rows)
            return fitted
        aligner = LinearAligner(
            "spectral", alpha=plan.bridge_alpha, power=BRIDGE_POWER, match_scale=True
        )
        return aligner.fit_rows(rows)

    def move_held_out(self, folds: list[NDArray[np.intp]]) -> list[NDArray]:
        """Rows of each fold, moved by a map of the rows outside the fold.

        The sums over a fold are subtracted from those over all rows; adapters are trained anew.

        Parameters
        ----------
        folds : list of ndarray of int
            Indices of the rows of every fold; none is empty.

        Returns
        -------
        list of ndarray of shape (n_rows_of_fold, n_features_out)
            In the order of the folds.
        """
        X, everyone = self.rows.X, np.arange(len(self.texts))
        if self.plan.bridge_method in ADAPTERS:
            return [self.fit(np.setdiff1d(everyone, fold)).move(X[fold]) for fold in folds]
        spectral = Candidate("spectral", float(self.plan.bridge_alpha), BRIDGE_POWER)
        held_out, moved = HeldOutRows(self.rows, folds), []
        for i, fold in enumerate(folds):
            solver = held_out.solver(i)
            moved.append(solver.match_scale(spectral.solve(solver))(X[fold]))
        return moved

    def fit_and_evaluate(self) -> tuple[PairedMap, Evaluation]:
        """Fit the map on all rows, and evaluate it on held-out English rows."""
        aligner = self.fit()
        evaluation = Evaluation(
            "bridge",
            "en",
            aligner.fitted_method,
            n_fit=len(self.texts),
            **measured(aligner, self.rows, self.plan.seed, False),
        )
        return aligner, evaluation

    def end_to_end(
        self, language: str, language_map: PairedMap, pairs: PairedRows
    ) -> Evaluation | None:
        """Target text to the English system's vectors of its translation, on held-out pairs.

        Both maps are fitted again without the held-out pairs. The baseline feeds the target text
        straight to the English encoder. None where there are too few pairs or English rows.
        """
        plan, encode = self.plan, self.session.encode
        targets, english = plan.pairs[language]
        groups = pairs.groups
        order = check_random_state(plan.seed).permutation(groups.max() + 1)[groups]
        n_held = min(_END_TO_END_ROWS, len(targets) // 5)
        held = order < np.sort(order)[n_held]
        rows = np.flatnonzero(held)
        hidden = {english[i] for i in rows}
        kept = np.flatnonzero([t not in hidden for t in self.texts])
        if len(rows) < 2 or len(targets) - len(rows) < 2 or len(kept) < MIN_BRIDGE_ROWS:
            return None
        there = language_map.unfitted_twin().fit_rows(pairs.take(np.flatnonzero(~held)))
        moved = self.fit(kept).move(there.move(pairs.X[held]))
        truth = encode(plan.system, [english[i] for i in rows])
        straight = encode(plan.system, [targets[i] for i in rows])
        return Evaluation(
            "end to end",
            language,
            f"{language_map.fitted_method} + bridge",
            n_fit=len(targets),
            **scores_of_pairs((straight, truth), (moved, truth), groups[held], plan.seed),
        )
