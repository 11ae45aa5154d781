"""Report of a search: its views, and why they are scored as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["SearchReport", "SearchViewReport"]


@dataclass(frozen=True)
class SearchViewReport:
    """Settings of one view of a search.

    Attributes
    ----------
    view : str
        Name of the encoder, with ", bridged" where its rows are.
    n_features : int
        Width of its rows.
    centred : bool
        Whether the mean of each language is subtracted.
    centring : str
        Why it is, or is not.
    spread : float or None
        Standard deviation of its cosines; None for a view alone.
    weight : float
        Weight of its standardised score.
    coefficient : float
        Coefficient of its cosine in the score: the weight over the spread, of which the sum is 1.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk import CrossLingualRetriever
    >>> view = CrossLingualRetriever().fit(np.eye(3)).report_.views[0]
    >>> view.view, view.n_features, view.centred
    ('embeddings 0', 3, False)
    """

    view: str
    n_features: int
    centred: bool
    centring: str
    spread: float | None = None
    weight: float = 1.0
    coefficient: float = 1.0


@dataclass(frozen=True)
class SearchReport:
    """Report of a fitted CrossLingualRetriever; ``print`` it.

    Attributes
    ----------
    views : tuple of SearchViewReport
        One per view.
    scoring : str
        How documents are ranked.
    scoring_reason : str
        Why.
    scores : dict of str to float
        What `scoring="auto"` compared: a held-out figure of every scoring. Empty else.
    fusion : str
        How the views are fused, and where their weights come from; "" for a view alone.
    lexical : str
        Whether words in common count, and why; "" where they were not asked for.
    n_bank : int
        Queries of the bank and those that `partial_adapt` took in.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk import CrossLingualRetriever
    >>> print(CrossLingualRetriever().fit(np.eye(3)).report_)
    embeddings 0: 3 features, not centred (a view alone)
    scoring: cosine (as given)
    """

    views: tuple[SearchViewReport, ...]
    scoring: str
    scoring_reason: str
    scores: dict[str, float]
    fusion: str = ""
    lexical: str = ""
    n_bank: int = 0

    def __str__(self) -> str:
        several = len(self.views) > 1
        lines = [_line_of(view, several) for view in self.views]
        compared = ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items())
        lines.append(f"scoring: {self.scoring} ({self.scoring_reason})")
        if compared:
            lines.append(f"    {compared}")
        for name in ("fusion", "lexical"):
            if getattr(self, name):
                lines.append(f"{name}: {getattr(self, name)}")
        if self.n_bank:
            lines.append(f"bank: {self.n_bank:,} queries")
        return "\n".join(lines)

    def to_frame(self) -> Any:
        """Return a table with one row per view.

        Returns
        -------
        pandas.DataFrame
            Columns view, n_features, centred, centring, spread, weight and coefficient.
        """
        import pandas as pd

        return pd.DataFrame([vars(view) for view in self.views])


def _line_of(view: SearchViewReport, several: bool) -> str:
    centred = "centred" if view.centred else "not centred"
    line = f"{view.view}: {view.n_features} features, {centred} ({view.centring})"
    if several:
        spread = "" if view.spread is None else f", spread {view.spread:.3f}"
        line += f", weight {view.weight:g}{spread}, coefficient {view.coefficient:.3f}"
    return line
