"""Loaders of the built-in data sets."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from sklearn.utils import Bunch

from ..corpus import ParallelCorpus
from ..languages.codes import base_code, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_service_requests", "load_starter_corpus"]


_LANGUAGES = ("en", "ko", "ja", "zh")
_SUBSETS = ("train", "test", "all")


def _read_text(file_name: str) -> str:
    return resources.files(__package__).joinpath("data", file_name).read_text(encoding="utf-8")


def _read_columns(file_name: str) -> dict[str, list[str]]:
    """Columns of a tab-separated file by name; every cell stays text."""
    # Not splitlines(), since only "\n" ends a row.
    header, *rows = (line.split("\t") for line in _read_text(file_name).split("\n") if line)
    return {name: list(cells) for name, *cells in zip(header, *rows, strict=True)}


def _one_of(name: str, value: Any, allowed: Sequence[str], *, has_region: bool = False) -> str:
    """Value of a parameter, checked and without its region."""
    choice = base_code(value) if has_region and isinstance(value, str) else value
    if choice not in allowed:
        hint = did_you_mean(value) if has_region and isinstance(value, str) else ""
        listed = ", ".join(map(repr, allowed))
        raise ValueError(f"{name} must be one of {listed}, got {value!r}.{hint}")
    return choice


def load_service_requests(
    *,
    language: str = "en",
    subset: str = "train",
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Any:
    """Load customer requests to a shop and a bank, in four languages.

    384 utterances of 12 intents, 20 of each intent for training and 12 for testing. Row i is
    the same utterance in every language, so a classifier trained on English can be tested on
    the others.

    Parameters
    ----------
    language : {"en", "ko", "ja", "zh"}, default="en"
        Language of the utterances. A region code ("zh-CN") stands for its language; all Chinese
        is simplified.
    subset : {"train", "test", "all"}, default="train"
        Which rows to load: 240 to train on, 144 to test on or all 384.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return data and target as pandas Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with these attributes.

        data : list of str, or Series named "text" if `as_frame`
            The utterances.
        target : ndarray of str, or Series named "intent" if `as_frame`
            The intent of each utterance.
        target_names : list of str
            The intents, sorted.
        frame : DataFrame with columns "text" and "intent"
            Data and target together; None unless `as_frame`.
        DESCR : str
            Description of the data set.
    (data, target) : tuple if ``return_X_y=True``
        The first two of these attributes.

    Raises
    ------
    ValueError
        If `language` or `subset` is not one of the allowed values.

    See Also
    --------
    load_starter_corpus : Parallel sentences to fit an aligner on.

    Notes
    -----
    All text was written for this package and is under its licence (BSD-3-Clause). Rows were
    reworded until the cosine between each translation and its English under the Universal
    Sentence Encoder multilingual was at least 0.5: scores of that encoder are optimistic on
    these rows, which are not a benchmark.

    Examples
    --------
    >>> from langalign_sk.datasets import load_service_requests
    >>> train = load_service_requests()
    >>> len(train.data), len(train.target_names)
    (240, 12)
    >>> korean, intents = load_service_requests(language="ko", subset="test", return_X_y=True)
    >>> korean[0], str(intents[0])
    ('제 전기 주전자는 지금 대체 어디에 있나요?', 'track_order')
    """
    code = _one_of("language", language, _LANGUAGES, has_region=True)
    _one_of("subset", subset, _SUBSETS)

    columns = _read_columns("service_requests.tsv")
    keep = [subset in ("all", split) for split in columns["split"]]
    data: Any = [text for text, kept in zip(columns[code], keep, strict=True) if kept]
    target: Any = np.array(columns["intent"])[keep]
    target_names = sorted(set(columns["intent"]))
    frame = None
    if as_frame:
        import pandas as pd

        frame = pd.DataFrame({"text": data, "intent": target})
        data, target = frame["text"], frame["intent"]

    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=target_names,
        frame=frame,
        DESCR=_read_text("service_requests.rst"),
    )


@overload
def load_starter_corpus(target_lang: None = None) -> pd.DataFrame: ...


@overload
def load_starter_corpus(target_lang: str) -> ParallelCorpus: ...


def load_starter_corpus(target_lang: str | None = None) -> pd.DataFrame | ParallelCorpus:
    """Load 640 everyday sentences in English, Korean, Japanese and Chinese.

    Parallel text to fit an aligner on when you have none of your own: 80 sentences on each of
    eight topics (daily_life, work, travel, news, technology, health, money, feelings), from
    short notes and headlines to questions and formal prose. It is the corpus "starter" of
    `CrossLingualAligner`.

    Parameters
    ----------
    target_lang : {"ko", "ja", "zh"} or None, default=None
        Language to pair with English. A region code ("zh-TW") stands for its language;
        all Chinese is simplified. None loads all languages as a table.

    Returns
    -------
    ParallelCorpus or DataFrame
        With `target_lang`, a :class:`~langalign_sk.corpus.ParallelCorpus` named "starter" of
        640 pairs; without it, a DataFrame with columns topic, en, ko, ja and zh, in which a row
        is one sentence in all languages.

    Raises
    ------
    ValueError
        If `target_lang` is not one of the allowed values.

    See Also
    --------
    load_service_requests : Labelled utterances to try an aligned classifier on.

    Notes
    -----
    All text was written for this package and is under its licence (BSD-3-Clause). Rows were
    reworded until the cosine between each translation and its English under the Universal
    Sentence Encoder multilingual was at least 0.5: scores of that encoder are optimistic on
    these rows, which are not a benchmark. The service requests do not contain any of the rows.

    Examples
    --------
    >>> from langalign_sk.datasets import load_starter_corpus
    >>> frame = load_starter_corpus()
    >>> frame.shape
    (640, 5)
    >>> frame.loc[1, ["en", "ja"]].tolist()
    ['Who ate the last dumpling?', '最後の餃子を食べたのは誰？']
    >>> load_starter_corpus("ko").n_pairs
    640
    """
    if target_lang is None:
        import pandas as pd

        return pd.DataFrame(_read_columns("starter_corpus.tsv"))

    code = _one_of("target_lang", target_lang, _LANGUAGES[1:], has_region=True)
    columns = _read_columns("starter_corpus.tsv")
    return ParallelCorpus(columns[code], columns["en"], target_lang=code, name="starter")
