"""The map into another English encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.linear import _again, method_of
from ._evidence import _measured
from ._plan import ADAPTERS, Setting
from ._report import Evaluation

# Chosen on SIB-200 dev rows and on agreement over training pairs, never on test rows.
BRIDGE_POWER = 0.5
# All English text that is not the task's own counts as much as this many task rows, and no
# more of it is encoded than pays off.
_GENERAL_WEIGHT = 100
_GENERAL_ROWS = 2_000


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
