"""Retrieval sets that differ in kind: target-language queries, each with one English document."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._lib.data import LANGUAGES, SEED, read_rows

MAX_QUERIES, MAX_COMMANDS = 1_000, 2_000
SENTENCES, ASKED = 8, 3  # of a page, and of these the ones that ask for it
TITLE = 80  # characters of a package's first line at most


class SearchSet(NamedTuple):
    """Queries, the place of the document that each asks for, and the documents."""

    queries: list[str]
    gold: NDArray[np.intp]
    documents: list[str]

    def take(self, places: NDArray[np.intp]) -> "SearchSet":
        """Some of the queries, and all documents."""
        return SearchSet([self.queries[i] for i in places], self.gold[places], self.documents)


class Kind(NamedTuple):
    """How a set is made.

    Attributes
    ----------
    make : callable
        ``make(folder, language)`` returns queries, places of documents, and documents.
    what : str
        What asks for what.
    source : str
        Where its text comes from; sets of one source are left out together.
    languages : tuple of str
        Of the queries.
    pairs : str
        Source of parallel text that is of the same origin, and serves no map of this set.
    """

    make: Callable[[Path, str], tuple]
    what: str
    source: str
    languages: tuple[str, ...] = LANGUAGES
    pairs: str = ""


def load(folder: Path, name: str, language: str) -> SearchSet:
    """A set in a language: equal documents are one, and queries are at most 1,000 random ones."""
    queries, gold, documents = KINDS[name].make(folder, language)
    return capped(distinct(queries, gold, documents), MAX_QUERIES)


def distinct(queries: Sequence[str], gold: Sequence[int], documents: Sequence[str]) -> SearchSet:
    """The set with equal documents once."""
    first: dict[str, int] = {}
    places = [first.setdefault(text, len(first)) for text in documents]
    return SearchSet(list(queries), np.array([places[i] for i in gold], dtype=np.intp), list(first))


def capped(whole: SearchSet, limit: int) -> SearchSet:
    """At most so many random queries."""
    n = len(whole.queries)
    if n <= limit:
        return whole
    return whole.take(np.sort(np.random.default_rng(SEED).permutation(n)[:limit]))


def sentences(folder: Path, name: str, language: str) -> tuple:
    """Sentences that ask for their translation."""
    english, target = zip(*read_rows(folder / "eval" / name / f"{language}.tsv"), strict=True)
    return target, range(len(target)), english


def pages(folder: Path, language: str) -> tuple:
    """Sentences that ask for the page, of several sentences in order, that holds theirs."""
    target, _, english = sentences(folder, "ntrex", language)
    rng = np.random.default_rng(SEED)
    queries, gold, documents = [], [], []
    for page in range(len(english) // SENTENCES):
        start = page * SENTENCES
        documents.append(" ".join(english[start : start + SENTENCES]))
        for i in rng.permutation(SENTENCES)[:ASKED]:
            queries.append(target[start + i])
            gold.append(page)
    return queries, gold, documents


def packages(folder: Path, language: str) -> tuple:
    """First lines of packages that ask for the long description below them."""
    rows = read_rows(folder / "parallel" / language / "debian_desc.tsv")
    queries: list[str] = []
    gold: list[int] = []
    documents: list[str] = []
    title, paragraphs = None, []
    for english, target in [*(row[:2] for row in rows), ("", "")]:
        if not is_title(english):
            paragraphs.append(english)
            continue
        if title is not None and paragraphs:
            queries.append(title)
            gold.append(len(documents))
            documents.append(" ".join(paragraphs))
        title, paragraphs = target, []
    return queries, gold, documents


def is_title(line: str) -> bool:
    """Whether a row of descriptions is a first line: short, and not a sentence."""
    return len(line) <= TITLE and not line.rstrip().endswith((".", ":", "!"))


def premises(folder: Path, language: str) -> tuple:
    """Hypotheses that ask for a premise that entails them."""
    english = read_rows(folder / "eval" / "nli" / "en_test.tsv")
    target = read_rows(folder / "eval" / "nli" / f"{language}_test.tsv")
    entailed = [i for i, row in enumerate(english) if row[0] == "entailment"]
    return [target[i][2] for i in entailed], entailed, [row[1] for row in english]


def emoji(folder: Path, language: str) -> tuple:
    """Names and keywords of emoji that ask for the English ones."""
    english = read_rows(folder / "eval" / "emoji_group" / "en_test.tsv")
    target = read_rows(folder / "eval" / "emoji_group" / f"{language}_test.tsv")
    return [row[1] for row in target], range(len(target)), [row[1] for row in english]


def commands(folder: Path, language: str) -> tuple:
    """Descriptions of commands that ask for the English ones, among 2,000 random ones."""
    rows = read_rows(folder / "parallel" / language / "tldr.tsv")
    by_english = {row[0]: row[1] for row in rows}
    kept = np.random.default_rng(SEED).permutation(len(by_english))[:MAX_COMMANDS]
    pairs = [list(by_english.items())[i] for i in np.sort(kept)]
    return [target for _, target in pairs], range(len(pairs)), [english for english, _ in pairs]


KINDS = {
    "tatoeba": Kind(
        lambda folder, language: sentences(folder, "tatoeba", language),
        "a short sentence asks for its translation",
        "Tatoeba",
        pairs="anki_tatoeba",
    ),
    "ntrex": Kind(
        lambda folder, language: sentences(folder, "ntrex", language),
        "a sentence of the news asks for its translation",
        "NTREX",
    ),
    "pages": Kind(pages, "a sentence of the news asks for the page that holds it", "NTREX"),
    "packages": Kind(
        packages,
        "the first line of a package asks for its long description",
        "Debian",
        pairs="debian_desc",
    ),
    "premises": Kind(
        premises, "a statement asks for a text that entails it", "XNLI", languages=("ko", "zh")
    ),
    "emoji": Kind(emoji, "name and keywords of an emoji ask for the English ones", "Unicode"),
    "commands": Kind(
        commands, "the description of a command asks for the English one", "tldr", pairs="tldr"
    ),
}
CELLS = tuple((name, language) for name, kind in KINDS.items() for language in kind.languages)


def training_pairs(folder: Path, language: str, without: str, n: int) -> list[tuple[str, str]]:
    """Random pairs, (target, English), of all sources but one."""
    paths = sorted((folder / "parallel" / language).glob("*.tsv"))
    rows = [(row[1], row[0]) for path in paths if path.stem != without for row in read_rows(path)]
    rows = list(dict.fromkeys(rows))
    return [rows[i] for i in np.random.default_rng(SEED).permutation(len(rows))[:n]]
