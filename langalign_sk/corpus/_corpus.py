"""ParallelCorpus: sentences and their English translations."""

from __future__ import annotations

import hashlib
import numbers
import os
import re
import statistics
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, ClassVar

from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .._utils.normalization import is_blank
from .._utils.normalization import unescape as unescaped
from .._utils.tables import as_column
from .._utils.validation import check_choice, check_number
from ..languages import LanguageRouter, scripts_of_language
from ..languages.scripts import is_latin_only
from ._files import stem_of
from ._readers import as_texts, check_language, read_lines, read_pairs, sides_of_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ParallelCorpus", "letters_and_digits"]


_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")
# Lengths of short translations differ by more than any sensible ratio ("OK" is "알겠습니다").
_MIN_JUDGED_LENGTH = 20
_REASONS = ("kept", "empty", "duplicate", "wrong_script", "untranslated", "length_mismatch")


# No __len__, shape, __array__, __getitem__ or __iter__: GridSearchCV slices every fit argument
# whose length equals the number of rows of X, and would cut the corpus to the training fold.
@dataclass(frozen=True, init=False, repr=False)
class ParallelCorpus:
    """Immutable collection of sentences and their English translations.

    Parameters
    ----------
    target : sequence of str
        Sentences of the target language: a list, array, Series or any other
        :ref:`container <what-x-may-be>` of one column of text.
    source : sequence of str
        Their English counterparts, in the same order.
    target_lang : str
        Code of the target language, such as "ko" or "zh-TW".
    name : str or None, default=None
        Name of the corpus in reports.

    Attributes
    ----------
    target, source : tuple of str
        The two sides.
    target_lang : str
        Language code of `target`.
    source_lang : str
        Language code of `source`, always "en".
    name : str or None
        Name in reports; equality ignores it.

    Raises
    ------
    ValueError
        If the sides differ in length, a row is missing, or the target language is English.
    TypeError
        If a side is not a sequence, or a row is not text.

    Notes
    -----
    A corpus has no length on purpose, so that ``GridSearchCV`` passes it on uncut; use `n_pairs`.
    Empty sentences are allowed; `clean` drops them.

    Examples
    --------
    >>> from langalign_sk.corpus import ParallelCorpus
    >>> corpus = ParallelCorpus(
    ...     ["안녕하세요", "고맙습니다"], ["Hello", "Thank you"], target_lang="ko", name="greetings"
    ... )
    >>> corpus
    ParallelCorpus(n_pairs=2, target_lang='ko', name='greetings')
    """

    source_lang: ClassVar[str] = "en"

    target: tuple[str, ...]
    source: tuple[str, ...]
    target_lang: str
    name: str | None = field(compare=False)
    _cleaning_counts: dict[str, int] | None = field(compare=False)

    def __init__(
        self, target: ArrayLike, source: ArrayLike, *, target_lang: str, name: str | None = None
    ) -> None:
        check_language(target_lang)
        sides = {"target": as_texts(target, "target"), "source": as_texts(source, "source")}
        if len(sides["target"]) != len(sides["source"]):
            raise ValueError(
                f"target has {len(sides['target'])} sentences and source has "
                f"{len(sides['source'])}: give one English sentence for every target sentence, "
                "in the same order."
            )
        self._set(**sides, target_lang=target_lang, name=name, _cleaning_counts=None)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)  # the class is frozen

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self.target)

    @property
    def cleaning_report(self) -> Mapping[str, int] | None:
        """Counts of the pairs that `clean` kept and dropped, read-only; None without `clean`."""
        return None if self._cleaning_counts is None else MappingProxyType(self._cleaning_counts)

    @property
    def fingerprint(self) -> str:
        """Hash of the language and all pairs: sixteen hex digits, the same on every machine."""
        digest = hashlib.sha256()
        for text in (self.target_lang, *self.target, *self.source):
            # A text of a broken file may contain half a surrogate pair.
            data = text.encode("utf-8", "surrogatepass")
            digest.update(b"%d:" % len(data) + data)
        return digest.hexdigest()[:16]

    def __hash__(self) -> int:
        return int(self.fingerprint, 16)

    def __deepcopy__(self, memo: dict[int, Any]) -> ParallelCorpus:
        # A corpus is immutable, and `clone` deep-copies the parameters of an estimator.
        return self

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(n_pairs={self.n_pairs}, target_lang={self.target_lang!r}, "
            f"name={self.name!r})"
        )

    @classmethod
    def from_frame(cls, frame: Any, target_lang: str, *, name: str | None = None) -> ParallelCorpus:
        """Corpus of two columns of a DataFrame.

        Parameters
        ----------
        frame : table
            With a column "en" and one named by the code of the target language, in any
            :ref:`container <what-x-may-be>`: a frame, a dict of columns, a list of records.
        target_lang : str
            Code of the target language; the name of the column may omit the region.
        name : str or None, default=None
            Name of the corpus.

        Returns
        -------
        ParallelCorpus
            One pair per row.

        Examples
        --------
        >>> import pandas as pd
        >>> from langalign_sk.corpus import ParallelCorpus
        >>> frame = pd.DataFrame({"en": ["Hello"], "zh": ["你好"], "id": [7]})
        >>> ParallelCorpus.from_frame(frame, "zh-TW").target
        ('你好',)
        """
        target, source = sides_of_frame(frame, target_lang)
        return cls(target, source, target_lang=target_lang, name=name)

    def to_frame(self) -> pd.DataFrame:
        """Pairs as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            With the columns `target_lang` and "en", in this order.

        Examples
        --------
        >>> from langalign_sk.corpus import ParallelCorpus
        >>> ParallelCorpus(["안녕"], ["Hi"], target_lang="ko").to_frame()
           ko  en
        0  안녕  Hi
        """
        import pandas as pd

        return pd.DataFrame(
            {
                self.target_lang: as_column(self.target),
                self.source_lang: as_column(self.source),
            }
        )

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str] | IO[Any],
        target_lang: str,
        *,
        columns: Sequence[str] | Mapping[str, str] | Mapping[int, str] | None = None,
        header: bool | str = "auto",
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> ParallelCorpus:
        """Read a file of pairs, in the format of its suffix.

        Parameters
        ----------
        path : str, path-like or file object
            - .tsv, .txt (tab-separated, quotes are plain text) and .csv (with the usual quotes).
              Blank lines and empty last columns are skipped.
            - .jsonl, .ndjson, .json: objects, or columns, with languages as keys; they may be
              nested, as in ``{"translation": {"en": ..., "ko": ...}}``.
            - .tmx: Translation Memory eXchange. Of several variants in one language, the one whose
              code matches best is taken; inline markup, and the line ends and indentation of
              pretty-printed files, are left out.
            - .parquet: needs pyarrow; columns may be nested, as in JSON.

            All but .parquet may be compressed, with .gz, .bz2, .xz or .zip after the suffix. A
            file object needs a `name` with the suffix.
        target_lang : str
            Code of the target language. The file may name it in any standard ("ko", "kor",
            "ko-KR", "kor_Hang") or by a name ("Korean", "한국어"), and may omit script and region.
            A code that says the script of Chinese or Serbian takes no other: "zh-Hant" is "zh-TW"
            and "zh-HK", and "zh" is any of them, "zh-CN" first.
        columns : sequence of str, mapping or None, default=None
            Names of all columns of a table, in the order of the file, such as ``("en", "ko")``; or
            a mapping from names of the header or positions from 0 to languages, such as
            ``{"질문": "ko", "Question": "en"}`` and ``{0: "en", 2: "ko"}``. JSON and parquet files
            take a mapping of names. Without it, the columns of a table without a header are told
            apart by script, which works for languages with a script of their own; columns of
            numbers, identifiers, labels and attributions do not count (ManyThings and Tatoeba).
        header : {"auto", True, False}, default="auto"
            Whether the first row of a table is a header. By default it is one if it names both
            languages, or consists of usual words of headers (a warning says so); a first row that
            looks like a header in another way is an error.
        delimiter : str or None, default=None
            What separates the cells of a table. By default, a comma in .csv and a tab in .tsv and
            .txt, unless another sign of ``; | , tab`` divides all rows alike.
        encoding : str, default="utf-8"
            Encoding of the text formats; a byte order mark overrules it. TMX and parquet files
            declare their own.

        Returns
        -------
        ParallelCorpus
            All pairs, in the order of the file and named after it. Missing cells become "".

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file is broken, has no pairs, does not say which column is which, or unpacks to
            more than 64 MiB and 40 times its size.
        ImportError
            If a .parquet file is read without pyarrow.

        Warns
        -----
        UserWarning
            If units of a .tmx file are broken and left out, or have characters that XML does not
            allow, which are removed; or if a first row is taken for a header by its words, or may be
            one.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from langalign_sk.corpus import ParallelCorpus
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "mine.tsv"
        ...     _ = path.write_text("Hello\\t안녕하세요\\n", "utf-8")
        ...     ParallelCorpus.read(path, "ko")
        ParallelCorpus(n_pairs=1, target_lang='ko', name='mine')
        """
        (target, source), name = read_pairs(
            path,
            target_lang,
            columns=columns,
            header=header,
            delimiter=delimiter,
            encoding=encoding,
        )
        return cls(target, source, target_lang=target_lang, name=name)

    @classmethod
    def read_moses(
        cls,
        target_path: str | os.PathLike[str],
        source_path: str | os.PathLike[str],
        target_lang: str,
        *,
        encoding: str = "utf-8",
    ) -> ParallelCorpus:
        """Read two text files whose lines correspond, the format of Moses and OPUS.

        Parameters
        ----------
        target_path, source_path : str or path-like
            The target and the English sentences, one per line; both may be compressed (.gz, .bz2, .xz).
        target_lang : str
            Code of the target language.
        encoding : str, default="utf-8"
            Encoding of both files; a byte order mark overrules it.

        Returns
        -------
        ParallelCorpus
            All pairs, named after the file of the target sentences. Empty lines are kept.

        Raises
        ------
        ValueError
            If the files differ in their number of lines.
        """
        paths = [Path(path).expanduser() for path in (target_path, source_path)]
        target, source = (
            read_lines(path, encoding, lang)
            for path, lang in zip(paths, (target_lang, None), strict=True)
        )
        if len(target) != len(source):
            raise ValueError(
                f"{str(paths[0])!r} has {len(target)} lines and {str(paths[1])!r} has "
                f"{len(source)}: line i of one must be the translation of line i of the other."
            )
        return cls(target, source, target_lang=target_lang, name=stem_of(paths[0]))

    def sample(self, n: int, random_state: Any = None) -> ParallelCorpus:
        """Draw pairs without replacement.

        Parameters
        ----------
        n : int
            Number of pairs.
        random_state : int, RandomState instance or None, default=None
            An int gives the same pairs in every call.

        Returns
        -------
        ParallelCorpus
            `n` pairs in the order of this corpus, with its name.

        Examples
        --------
        >>> from langalign_sk.corpus import ParallelCorpus
        >>> corpus = ParallelCorpus(["하나", "둘", "셋"], ["one", "two", "three"], target_lang="ko")
        >>> corpus.sample(2, random_state=0).source
        ('two', 'three')
        """
        if not isinstance(n, numbers.Integral):
            raise TypeError(f"n must be an int, got {n!r}.")
        if not 0 <= n <= self.n_pairs:
            raise ValueError(
                f"n={n} pairs cannot be drawn without replacement from a corpus of {self.n_pairs}."
            )
        rows = sorted(check_random_state(random_state).permutation(self.n_pairs)[:n])
        return self._like([(self.target[row], self.source[row]) for row in rows])

    def clean(self, *, max_length_ratio: float = 4.0, unescape: bool = False) -> ParallelCorpus:
        """Drop pairs that are empty, untranslated, mismatched or repeated.

        Parameters
        ----------
        max_length_ratio : float, default=4.0
            Limit of the ratio of lengths, target to English, relative to the median of this
            corpus, and of its inverse. Only pairs whose longer side has 20 characters are judged.
        unescape : bool, default=False
            Replace the character references of HTML by their characters first, such as ``&amp;``
            and, of text that was escaped twice, ``&amp;quot;``.

        Returns
        -------
        ParallelCorpus
            The pairs that were kept, stripped of surrounding white space. Its `cleaning_report`
            counts every pair under the first reason that applies:

            - "empty": a side is blank or holds nothing that can be seen;
            - "untranslated": both sides have the same letters and digits, or the target is in
              Latin letters only, although its language is not;
            - "wrong_script": a side is not in the script of its language (not tested for target
              languages in Latin script);
            - "length_mismatch": see `max_length_ratio`;
            - "duplicate": an earlier pair differs only in case, spaces and punctuation;
            - "kept": the pair was kept.

            With `unescape`, "unescaped" counts the pairs that had character references, kept or
            not.

        Examples
        --------
        >>> from langalign_sk.corpus import ParallelCorpus
        >>> corpus = ParallelCorpus(
        ...     ["안녕하세요 ", "안녕하세요!", "Firefox", ""], ["Hello", "hello", "Firefox", "Bye"],
        ...     target_lang="ko",
        ... )
        >>> {reason: n for reason, n in corpus.clean().cleaning_report.items() if n}
        {'kept': 1, 'empty': 1, 'duplicate': 1, 'untranslated': 1}
        """
        check_number(
            "max_length_ratio",
            max_length_ratio,
            numbers.Real,
            lambda ratio: ratio > 1,
            "a number greater than 1",
        )
        check_choice("unescape", unescape, (True, False))
        counts = dict.fromkeys(_REASONS, 0)
        pairs = list(zip(self.target, self.source, strict=True))
        if unescape:
            plain = [(unescaped(target), unescaped(source)) for target, source in pairs]
            counts["unescaped"] = sum(a != b for a, b in zip(pairs, plain, strict=True))
            pairs = plain
        pairs = [(target.strip(), source.strip()) for target, source in pairs]
        ratios = [len(t) / len(s) for t, s in pairs if t and s]
        usual = statistics.median(ratios) if ratios else 1.0
        scripts = scripts_of_language(self.target_lang)
        router = LanguageRouter((self.target_lang,)) if scripts else None
        kept: list[tuple[str, str]] = []
        seen: set[tuple[str, str]] = set()
        for target, source in pairs:
            key = (letters_and_digits(target), letters_and_digits(source))
            if is_blank(target) or is_blank(source):
                reason = "empty"
            elif key[0] == key[1] or is_latin_only(target, scripts):
                reason = "untranslated"
            elif router and router.identify((target, source)) != [self.target_lang, "en"]:
                reason = "wrong_script"
            elif _lengths_differ(target, source, usual, max_length_ratio):
                reason = "length_mismatch"
            elif key in seen:
                reason = "duplicate"
            else:
                reason = "kept"
                seen.add(key)
                kept.append((target, source))
            counts[reason] += 1
        cleaned = self._like(kept)
        cleaned._set(_cleaning_counts=counts)
        return cleaned

    def _like(self, pairs: list[tuple[str, str]]) -> ParallelCorpus:
        """A corpus of other pairs in the same language, with the same name."""
        target, source = zip(*pairs, strict=True) if pairs else ((), ())
        return type(self)(target, source, target_lang=self.target_lang, name=self.name)


def letters_and_digits(text: str) -> str:
    """Text without case, spaces and punctuation, after NFKC."""
    return _NEITHER_LETTER_NOR_DIGIT.sub("", unicodedata.normalize("NFKC", text).casefold())


def _lengths_differ(target: str, source: str, usual: float, max_ratio: float) -> bool:
    """Whether the ratio of two lengths, relative to the usual one, is beyond a limit."""
    if max(len(target), len(source)) < _MIN_JUDGED_LENGTH:
        return False
    return not 1 / max_ratio <= len(target) / len(source) / usual <= max_ratio
