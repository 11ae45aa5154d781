"""Columns of the tables that the package returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_column"]


def as_column(values: Sequence[Any]) -> pd.Series:
    """Column of identifiers or texts, of the dtype that pandas infers.

    Parameters
    ----------
    values : sequence
        Identifiers or texts.

    Returns
    -------
    pandas.Series
        Of str where it is empty, and of object where a text has half a surrogate pair, which no
        column of strings holds.
    """
    import pandas as pd

    if not len(values):
        return pd.Series([], dtype=str)
    try:
        return pd.Series(list(values))
    except UnicodeEncodeError:
        return pd.Series(list(values), dtype=object)
