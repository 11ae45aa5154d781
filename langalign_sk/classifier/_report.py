"""Report of a cross-lingual classifier: its views, and what unlabelled text did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["AdaptationReport", "ClassifierReport", "ViewReport"]


@dataclass(frozen=True)
class ViewReport:
    """Held-out scores and settings of one view.

    Attributes
    ----------
    view : str
        Name of the encoder, with ", bridged" where its rows are.
    n_features : int
        Width of its rows.
    accuracy, log_loss : float
        Of labelled rows, each predicted by a head that did not see it.
    maps : dict of str to str
        Method of the language map in use, by language.
    gamma, alpha : float or None
        Settings of a kernel head.
    temperature : float
        Temperature of the probabilities.
    map_choices : dict of str to dict
        Held-out agreement of the head with itself under every language map that was compared, by
        language; empty where there was nothing to compare.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk import CrossLingualAligner, CrossLingualClassifier
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> classifier = CrossLingualClassifier(CrossLingualAligner("ko"), random_state=0)
    >>> view = classifier.fit(X, X[:, 0] > 0, parallel=(X + 1, X)).report_.views[0]
    >>> view.view, view.n_features, view.map_choices["ko"]["method"]
    ('embeddings', 4, ['identity', 'centre', 'ridge', 'ridge'])
    """

    view: str
    n_features: int
    accuracy: float
    log_loss: float
    maps: dict[str, str]
    gamma: float | None
    alpha: float | None
    temperature: float
    map_choices: dict[str, dict[str, list]] = field(default_factory=dict)


@dataclass(frozen=True)
class AdaptationReport:
    """Result of learning from unlabelled target text.

    Attributes
    ----------
    adapted : bool
        Whether the heads learned from it.
    reason : str
        Why they did not, or what they did.
    n_unlabelled : int
        Unlabelled target rows.
    n_pseudo_labelled : int
        Rows that were taken with a predicted label; the mean over views.
    confidence_ratio : float or None
        Mean top probability of the unlabelled rows over that of labelled rows, held out.
    agreement_before, agreement_after : float or None
        Mean share of unlabelled rows that two views put into one class; None for one view.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk import CrossLingualAligner, CrossLingualClassifier
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> classifier = CrossLingualClassifier(CrossLingualAligner("ko"), random_state=0)
    >>> adaptation = classifier.fit(X, X[:, 0] > 0, target=X[:120] + 0.1).report_.adaptation
    >>> adaptation.adapted, adaptation.n_unlabelled
    (True, 120)
    """

    adapted: bool
    reason: str
    n_unlabelled: int = 0
    n_pseudo_labelled: int = 0
    confidence_ratio: float | None = None
    agreement_before: float | None = None
    agreement_after: float | None = None


@dataclass(frozen=True)
class ClassifierReport:
    """Report of a fitted CrossLingualClassifier; ``print`` it.

    Attributes
    ----------
    views : tuple of ViewReport
        One per view.
    accuracy, log_loss : float
        Of labelled rows by the mean of the views, each predicted by heads that did not see it.
    agreement : float or None
        Mean share of labelled rows that two views put into one class; None for one view.
    adaptation : AdaptationReport
        What unlabelled text did.
    warnings : tuple of str
        Reasons for doubt.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner, CrossLingualClassifier
    >>> from langalign_sk.datasets import load_service_requests
    >>> X, y = load_service_requests(language="en", return_X_y=True)
    >>> aligner = CrossLingualAligner("ko", random_state=0)
    >>> report = CrossLingualClassifier(aligner, random_state=0).fit(X, y).report_
    >>> report.to_frame()[["view", "ko"]]
                   view        ko
    0  use-multilingual  identity
    >>> report.adaptation.reason
    'there was no unlabelled text'
    """

    views: tuple[ViewReport, ...]
    accuracy: float
    log_loss: float
    agreement: float | None
    adaptation: AdaptationReport
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> Any:
        """Table of the views, one row per view.

        Returns
        -------
        pandas.DataFrame
            Columns view, n_features, accuracy, log_loss, gamma, alpha, temperature, and one per
            language with the method of its map.
        """
        import pandas as pd

        columns = ["view", "n_features", "accuracy", "log_loss", "gamma", "alpha", "temperature"]
        rows = [
            {**{name: getattr(view, name) for name in columns}, **view.maps} for view in self.views
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        agreement = "" if self.agreement is None else f"; two views agree on {self.agreement:.3f}"
        adapted = "adapted" if self.adaptation.adapted else "not adapted"
        return "\n".join(
            [
                self.to_frame().round(3).to_string(index=False),
                f"mean of the views, held out: accuracy {self.accuracy:.3f}, log loss "
                f"{self.log_loss:.3f}{agreement}",
                f"{adapted}: {self.adaptation.reason}",
                *(f"warning: {w}" for w in self.warnings),
            ]
        )
