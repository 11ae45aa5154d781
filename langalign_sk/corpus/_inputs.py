"""Kinds of input: one column of text, pairs of texts, or embeddings."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._utils.containers import Table, cells_of, check_column_names, opened, text_cells
from .._utils.texts import check_texts
from .._utils.validation import ensured, shorten
from ..languages import LanguageRouter, script_of, scripts_of_language
from ..languages.codes import declared_language
from ._corpus import ParallelCorpus
from ._readers import Sides, column_of, names_of_text

__all__ = [
    "Embeddings",
    "Pairs",
    "Sides",
    "Text",
    "check_pairs_y",
    "opened_parallel",
    "pairs_from",
    "read_input",
    "sentences_as_y_error",
    "text_column",
]

_HOW_TO_PASS_PAIRS = (
    "Pass translation pairs either as X itself, a two-column [target, English] frame, array or list "
    "of 2-tuples, or as fit(X, parallel=(target_sentences, english_sentences))"
)


@dataclass(frozen=True)
class Text:
    """Rows of one column of text."""

    rows: list[str]


@dataclass(frozen=True)
class Pairs:
    """Pairs of texts: one entry per pair, with the language of its target side."""

    target: list[str]
    english: list[str]
    languages: list[str]

    def by_language(self) -> dict[str, Sides]:
        """Target and English sentences of every language."""
        out: dict[str, Sides] = {}
        for target, english, language in zip(
            self.target, self.english, self.languages, strict=True
        ):
            sides = out.setdefault(language, ([], []))
            sides[0].append(target)
            sides[1].append(english)
        return out


@dataclass(frozen=True)
class Embeddings:
    """Rows without text, which are not checked yet."""

    rows: Any


def read_input(
    X: Any, router: LanguageRouter | None, languages: Sequence[str], *, missing: str | None = None
) -> Text | Pairs | Embeddings:
    """Text, pairs or embeddings, depending on the contents of X.

    Parameters
    ----------
    X : object
        What a user passed.
    router : LanguageRouter or None
        Needed for pairs of several languages without column names.
    languages : sequence of str
        The declared target languages.
    missing : {"error", "empty"}, default=None
        What a missing cell of one column is, see `check_texts`; those of pairs are an error.

    Raises
    ------
    ValueError, TypeError
        If a row is missing or not text, if a side of a pair is empty, or if the columns do not form
        pairs.
    """
    if isinstance(X, str | bytes):
        raise ValueError(
            f"X is a single {type(X).__name__}: pass a sequence of texts, such as [text]. Expected 2D "
            "array or a column of text."
        )
    if isinstance(X, ParallelCorpus):
        return _from_corpus(X, languages)
    X = opened(X)
    if isinstance(X, Table):
        return _read_table(X, router, languages, missing)
    values = text_cells(X)
    if values is None:
        _check_numbers(X)
        return Embeddings(X)
    if values.ndim == 1:
        return Text(check_texts(list(values), may_be_empty=True, missing=missing))
    if values.shape[1] == 1:
        return Text(check_texts(list(values[:, 0]), may_be_empty=True, missing=missing))
    if values.shape[1] == 2:
        return _pairs_of_columns(values[:, 0], values[:, 1], router, languages)
    raise ValueError(
        f"X holds text in {values.shape[1]} columns. Pass one column of text, or translation pairs: "
        "two columns [target, English], which list(zip(target, english)) makes of two lists."
    )


def text_column(
    X: Any, what: str, *, may_be_empty: bool = False, missing: str | None = None
) -> Text | Embeddings:
    """One column of text, or embeddings.

    Parameters
    ----------
    X : object
        In any container.
    what : str
        Words of the messages for its rows, such as "queries".
    may_be_empty : bool, default=False
        Whether X may have no row; it is text then, unless it is an array of some width.
    missing : {"error", "empty"}, default=None
        What a missing cell is, see `check_texts`.

    Returns
    -------
    Text or Embeddings
        Embeddings are not checked yet.
    """
    if not isinstance(X, str | bytes | ParallelCorpus):
        X = opened(X, f"The {what}")
    values = None if isinstance(X, str | bytes | ParallelCorpus) else text_cells(X)
    several = values is not None and values.ndim == 2 and values.shape[1] > 1
    if several or isinstance(X, ParallelCorpus) or (isinstance(X, Table) and values is None):
        columns = f", {list(X.names)}: pass one of them" if isinstance(X, Table) else ""
        raise ValueError(
            f"The {what} must be one column of text, and X holds pairs or more columns{columns}."
        )
    if values is not None and not len(values):
        if not may_be_empty:
            raise ValueError(f"There are no {what}: pass at least one.")
        return Text([])
    return read_input(X, None, (), missing=missing)  # type: ignore[return-value]  # pairs have several columns


def _check_numbers(X: Any) -> None:
    """Raise for a column of objects that are neither text nor numbers, and for a block of text."""
    if isinstance(X, np.ndarray) and X.dtype.kind not in "biufc" and X.ndim not in (1, 2):
        raise ValueError(
            f"X is an array of shape {X.shape} that does not hold numbers: pass one column of text, or "
            "embeddings as a 2-d float array."
        )
    if isinstance(X, np.ndarray):
        X = X.tolist() if X.dtype.kind == "O" and X.ndim == 1 else ()
    if not isinstance(X, list | tuple):
        return
    known = (numbers.Number, np.generic, list, tuple, np.ndarray)
    if any(not isinstance(row, known) and row is not None for row in X):
        check_texts(list(X))


def _read_table(
    table: Table, router: LanguageRouter | None, languages: Sequence[str], missing: str | None
) -> Text | Pairs:
    if len(table.columns) == 1:
        return Text(check_texts(table.columns[0], may_be_empty=True, missing=missing))
    names = [str(name) for name in table.names]
    named = [str(name) for name in names_of_text(names, table.columns)]
    found = {lang: at for lang in ("en", *languages) if (at := column_of(named, lang)) is not None}
    check_column_names(table.names, "X", [names[at] for at in found.values()])
    declared = [lang for lang in languages if lang in found]
    if "en" not in found or not declared:
        if table.by_position:
            return _pairs_of_columns(table.columns[0], table.columns[1], router, languages)
        raise ValueError(
            f"X is a frame with the columns {names}. Pairs need a column 'en' and one of "
            f"{list(languages)}; rename them. Task text is a single column, such as X[{names[0]!r}]."
        )
    english = check_texts(table.columns[found["en"]], "X column 'en',")
    out = Pairs([], [], [])
    for lang in declared:
        out.target.extend(check_texts(table.columns[found[lang]], f"X column {lang!r},"))
        out.english.extend(english)
        out.languages.extend([lang] * len(english))
    _check_not_swapped(out)
    return out


def _pairs_of_columns(
    target: Any, english: Any, router: LanguageRouter | None, languages: Sequence[str]
) -> Pairs:
    """Pairs of two columns, in the one declared language or in those that the router detects."""
    targets, englishes = (
        check_texts(list(target), "Pairs, target side,"),
        check_texts(list(english), "Pairs, English side,"),
    )
    if len(targets) != len(englishes):
        raise ValueError(
            f"parallel has {len(targets)} target sentences and {len(englishes)} English ones: row i of "
            "both must be translations of each other."
        )
    if len(languages) == 1:
        pairs = Pairs(targets, englishes, [languages[0]] * len(targets))
        _check_not_swapped(pairs)
        return pairs
    languages = _languages_of_targets(targets, ensured(router, "router"))
    return Pairs(targets, englishes, languages)


def _languages_of_targets(targets: list[str], router: LanguageRouter) -> list[str]:
    """Languages of the target sentences; a ValueError names a sentence in English."""
    languages: list[str] = []
    for row, language in enumerate(router.identify(targets)):
        if language is None or language == "en":
            raise ValueError(
                f"The target side of pair {row} is in English or in no declared language: "
                f"{shorten(targets[row])!r}. Pairs are [target, English], in this order."
            )
        languages.append(language)
    return languages


def _check_not_swapped(pairs: Pairs) -> None:
    """Raise ValueError for pairs (English, target), which would fit a map in the wrong direction."""
    step = max(1, len(pairs.target) // 200)
    swapped = told = 0
    for i in range(0, len(pairs.target), step):
        scripts = scripts_of_language(pairs.languages[i])
        if scripts:
            told += 1
            swapped += (
                script_of(pairs.english[i]) in scripts and script_of(pairs.target[i]) == "Latin"
            )
    if told and 2 * swapped > told:
        raise ValueError(
            "The pairs look swapped: the first side is English and the second is not. Pass "
            "[target, English], in this order."
        )


def _from_corpus(corpus: ParallelCorpus, languages: Sequence[str]) -> Pairs:
    lang = declared_language(corpus.target_lang, languages)
    if lang is None:
        raise ValueError(
            f"The ParallelCorpus is in {corpus.target_lang!r}, which target_lang does not declare "
            f"({', '.join(map(repr, languages))})."
        )
    target = check_texts(corpus.target, "ParallelCorpus, target side,")
    source = check_texts(corpus.source, "ParallelCorpus, English side,")
    return Pairs(target, source, [lang] * len(target))


def opened_parallel(parallel: Any) -> Any:
    """Translation pairs in containers that can be read several times.

    Parameters
    ----------
    parallel : object
        What a user passed. Iterators are consumed.

    Returns
    -------
    None, ParallelCorpus, tuple of two columns, dict by language, or as `opened` returns it
        For `pairs_from`.
    """
    if parallel is None or isinstance(parallel, str | bytes | ParallelCorpus):
        return parallel
    if isinstance(parallel, Mapping) and not _is_dict_of_columns(parallel):
        return {language: opened_parallel(part) for language, part in parallel.items()}
    if _is_two_columns(parallel):
        return tuple(opened(side, "Each side of parallel") for side in parallel)
    return opened(parallel, "parallel")


def pairs_from(
    parallel: Any, router: LanguageRouter | None, languages: Sequence[str]
) -> dict[str, Sides]:
    """Target and English sentences of every language in `parallel`."""
    if isinstance(parallel, Mapping) and not _is_dict_of_columns(parallel):
        out: dict[str, Sides] = {}
        for language, part in parallel.items():
            declared = declared_language(str(language), languages)
            if declared is None or declared in out:
                problem = (
                    "target_lang does not declare" if declared is None else "stands there twice"
                )
                raise ValueError(
                    f"parallel has the key {language!r}, which {problem} "
                    f"({', '.join(map(repr, languages))})."
                )
            out.update(pairs_from(part, router, [declared]))
        return out
    if isinstance(parallel, ParallelCorpus):
        pairs: Any = _from_corpus(parallel, languages)
    elif _is_two_columns(parallel):
        pairs = _pairs_of_columns(
            _sentences(parallel[0]), _sentences(parallel[1]), router, languages
        )
    else:
        pairs = read_input(parallel, router, languages)
    if not isinstance(pairs, Pairs):
        raise ValueError(
            f"parallel holds no pairs of text ({type(parallel).__name__}). "
            f"{_HOW_TO_PASS_PAIRS}; a ParallelCorpus, or a dict of them by language, works too."
        )
    return pairs.by_language()


def _is_dict_of_columns(parallel: Mapping[Any, Any]) -> bool:
    """Whether a dict has the two sides as its columns, and not pairs by language."""
    return column_of([str(name) for name in parallel], "en") is not None


def _is_two_columns(parallel: Any) -> bool:
    """Whether pairs are (target, english), and not two pairs or two records."""
    if not isinstance(parallel, tuple) or len(parallel) != 2:
        return False
    return not all(isinstance(side, str) or _is_record(side) for side in parallel)


def _is_record(side: Any) -> bool:
    """Whether a dict is a row of a table, and not a table of columns."""
    return isinstance(side, Mapping) and all(
        isinstance(value, str | Mapping | numbers.Number) for value in side.values()
    )


def _sentences(side: Any) -> list[Any]:
    try:
        return cells_of(side, "Each side of parallel")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Each side of parallel must be a sequence of str. {error} {_HOW_TO_PASS_PAIRS}."
        ) from None


def check_pairs_y(y: Any) -> None:
    """Raise ValueError for a y beside pairs."""
    if y is not None:
        raise ValueError(
            "X holds pairs, so y must be None. Class labels go with task text: pass the pairs as "
            "parallel= and the labelled texts as X."
        )


def sentences_as_y_error() -> ValueError:
    """Error for a y that consists of sentences."""
    return ValueError(
        "y holds mostly distinct strings, which look like sentences in a language other than that of "
        "their rows, not like class labels. fit does not read translations from y. "
        f"{_HOW_TO_PASS_PAIRS}. If they are labels, pass them as categories, pd.Categorical(y)."
    )
