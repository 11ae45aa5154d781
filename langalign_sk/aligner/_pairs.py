"""Where the translation pairs of a fit come from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .._utils.containers import embedding_rows
from ..corpus import ParallelCorpus
from ..corpus._inputs import Sides, pairs_from
from ..corpus._readers import MissingLanguageError
from ..datasets import load_starter_corpus
from ..languages.chinese import chinese_script
from ..languages.codes import base_code, parse_code

__all__ = ["CORPORA", "notes_on_scripts", "pairs_of_corpus", "sides_of_rows"]


CORPORA = ("starter",)
_SCRIPTS_OF_CHINESE = {"Hans": "Simplified", "Hant": "Traditional"}


def pairs_of_corpus(corpus: Any, languages: Sequence[str]) -> dict[str, Sides]:
    """Pairs of the languages that a built-in corpus or a file has."""
    if corpus is None:
        return {}
    if corpus in CORPORA:
        known = [lang for lang in languages if base_code(lang) in ("ko", "ja", "zh")]
        return {lang: _sides(load_starter_corpus(base_code(lang))) for lang in known}
    if not isinstance(corpus, str | os.PathLike):
        raise ValueError(
            f"corpus must be the name of a built-in corpus, a path or None, got "
            f"{type(corpus).__name__}. Pairs in memory go to fit as parallel=."
        )
    path = os.fspath(corpus)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"corpus={path!r} is neither a file nor the name of a built-in corpus "
            f"({', '.join(map(repr, CORPORA))}). Pass None for no pairs."
        )
    out: dict[str, Sides] = {}
    for language in languages:
        try:
            read = ParallelCorpus.read(path, language)
        except MissingLanguageError:
            continue  # the language gets no map, and a warning
        out.update(pairs_from(read, None, [language]))
    return out


def notes_on_scripts(pairs: Mapping[str, Sides]) -> tuple[str, ...]:
    """Notes on Chinese pairs in another script than the code of their language asks for."""
    notes = []
    for language, (target, _) in pairs.items():
        tag = parse_code(language)
        asked = _SCRIPTS_OF_CHINESE.get((tag and tag.writing) or "")
        if asked is None:
            continue
        found = _SCRIPTS_OF_CHINESE.get(chinese_script(target) or "", asked)
        if found != asked:
            notes.append(
                f"The translation pairs of {language!r} are in {found} Chinese, not in {asked} "
                f"Chinese. Pass pairs in {asked} Chinese as parallel= or corpus=, or convert these "
                "pairs."
            )
    return tuple(notes)


def sides_of_rows(parallel: Any) -> tuple[Any, Any]:
    """Both sides of pairs of embeddings, which are not checked yet."""
    if not isinstance(parallel, tuple) or len(parallel) != 2:
        raise ValueError(
            "X holds embeddings: pass parallel=(target, english), two arrays of embeddings."
        )
    target, english = parallel
    return embedding_rows(target, "parallel"), embedding_rows(english, "parallel")


def _sides(corpus: ParallelCorpus) -> Sides:
    return list(corpus.target), list(corpus.source)
