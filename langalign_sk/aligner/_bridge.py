"""The bridge: a map from the multilingual encoder to another English encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..encoders import EncodingSession
from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.linear import _again, method_of
from ..metrics._core import duplicate_groups
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
        self.X = session.encode(plan.source, self.texts)
        self.Y = session.encode(plan.system, self.texts)
        self.weight = np.ones(len(self.texts), dtype=self.X.dtype)
        if task and len(general) > _GENERAL_WEIGHT:
            self.weight[len(task) :] = _GENERAL_WEIGHT / len(general)
        self.plan, self.session = plan, session

    def fit(self, rows: NDArray | None = None) -> PairedMap:
        """Fit the map on all rows, or on some of them."""
        plan, used = self.plan, slice(None) if rows is None else rows
        if plan.bridge_method in ADAPTERS:
            adapter: PairedMap = plan.adapter_for(plan.bridge_method, "bridge")
            # Rows are not weighted here; an adapter for part of them is only to be measured.
            adapter = adapter if rows is None else _again(adapter)
            return adapter.fit(self.X[used], self.Y[used])
        aligner = LinearAligner(
            "spectral", alpha=plan.bridge_alpha, power=BRIDGE_POWER, match_scale=True
        )
        return aligner.fit(self.X[used], self.Y[used], sample_weight=self.weight[used])

    def fit_and_evaluate(self) -> tuple[PairedMap, Evaluation]:
        """Fit the map on all rows, and evaluate it on held-out English rows."""
        aligner = self.fit()
        evaluation = Evaluation(
            "bridge",
            "en",
            method_of(aligner),
            n_fit=len(self.texts),
            **measured(aligner, self.X, self.Y, self.plan.seed, False, self.weight),
        )
        return aligner, evaluation

    def end_to_end(self, language: str, language_map: PairedMap) -> Evaluation | None:
        """Target text to the English system's vectors of its translation, on held-out pairs.

        Both maps are fitted again without the held-out pairs. The baseline feeds the target text
        straight to the English encoder. None where there are too few pairs or English rows.
        """
        plan, encode = self.plan, self.session.encode
        targets, english = plan.pairs[language]
        X, Y = encode(plan.source, targets), encode(plan.source, english)
        groups = duplicate_groups(X, Y)
        order = check_random_state(plan.seed).permutation(groups.max() + 1)[groups]
        n_held = min(_END_TO_END_ROWS, len(targets) // 5)
        held = order < np.sort(order)[n_held]
        rows = np.flatnonzero(held)
        hidden = {english[i] for i in rows}
        kept = np.flatnonzero([t not in hidden for t in self.texts])
        if len(rows) < 2 or len(targets) - len(rows) < 2 or len(kept) < MIN_BRIDGE_ROWS:
            return None
        there = _again(language_map).fit(X[~held], Y[~held])
        moved = self.fit(kept).move(there.move(X[held]))
        truth = encode(plan.system, [english[i] for i in rows])
        straight = encode(plan.system, [targets[i] for i in rows])
        return Evaluation(
            "end to end",
            language,
            f"{method_of(language_map)} + bridge",
            n_fit=len(targets),
            **scores_of_pairs((straight, truth), (moved, truth), groups[held], plan.seed),
        )
