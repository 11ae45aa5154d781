"""Columns of the two languages of a pair, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..languages._names import TWO_LETTER
from ..languages.codes import base_code, did_you_mean, match_rank, named_language, same_spelling

__all__ = [
    "MissingLanguageError",
    "Sides",
    "check_language",
    "check_named_once",
    "column_of",
    "find_sides",
    "is_language",
    "mapping_remedy",
    "names_of_text",
    "need_sides",
    "target_names",
]


Sides = tuple[list[str], list[str]]  # target and English sentences, row by row


class MissingLanguageError(ValueError):
    """Error for a file or frame of pairs without sentences of a language."""


def check_language(target_lang: Any) -> None:
    """Raise unless `target_lang` is the code of a language other than English."""
    if not isinstance(target_lang, str):
        raise TypeError(f'target_lang must be a code such as "ko", got {target_lang!r}.')
    named = named_language(target_lang)
    if base_code(target_lang) in ("", "en") or (named is not None and named[0].language == "en"):
        raise ValueError(
            'target_lang must be the code of the language that is not English, such as "ko", '
            f"got {target_lang!r}."
        )


def column_of(names: Sequence[Any], language: str) -> int | None:
    """Position of the best name of a language, by `match_rank`; None if it is missing."""
    ranks = [
        (rank, at) for at, name in enumerate(names) if (rank := match_rank(language, str(name)))
    ]
    return min(ranks)[1] if ranks else None


def names_of_text(names: Sequence[Any], columns: Sequence[Sequence[Any]]) -> list[Any]:
    """Names of columns; "" for "id" and "no" above numbers, which are not the codes of languages."""
    return [
        ""
        if str(name).strip().casefold() in ("id", "no")
        and len(cells)
        and all(str(cell).strip().isdigit() for cell in cells)
        else name
        for name, cells in zip(names, columns, strict=True)
    ]


def find_sides(names: Sequence[Any], target_lang: str) -> tuple[int, int] | None:
    """Positions of the target and the English name; None if one of them is missing."""
    target, source = column_of(names, target_lang), column_of(names, "en")
    return None if target is None or source is None else (target, source)


def check_named_once(names: Sequence[str], sides: tuple[int, int], where: str) -> None:
    """Raise ValueError if another column has the name of one of two columns."""
    spelled = [same_spelling(name) for name in names]
    for at in sides:
        if spelled.count(spelled[at]) > 1:
            raise ValueError(
                f"{where} has two columns named {names[at]!r}, of {list(names)}. Say which is meant by "
                f"position, such as columns={{{sides[1]}: 'en', {sides[0]}: {names[sides[0]]!r}}}."
            )


def need_sides(
    names: Sequence[Any],
    target_lang: str,
    where: str,
    remedy: str = "Rename the columns to these language codes.",
) -> tuple[int, int]:
    """Positions of both names, or a ValueError that lists the names that `where` has."""
    sides = find_sides(names, target_lang)
    if sides is None:
        raise MissingLanguageError(
            f"{where} has the columns {[str(name) for name in names]}; needed are 'en' and "
            f"{target_names(target_lang)}. {remedy}{did_you_mean(target_lang)}"
        )
    return sides


def target_names(target_lang: str) -> str:
    """Code of the target language, and its base code, as messages quote them."""
    base = base_code(target_lang)
    return repr(target_lang) + (f" (or {base!r})" if base != same_spelling(target_lang) else "")


def mapping_remedy(names: Sequence[str], target_lang: str, order: Sequence[int] = ()) -> str:
    """Advice to say which columns hold the languages that no column names; "" if none are left.

    Parameters
    ----------
    names : sequence of str
        The names of the columns.
    target_lang : str
        Code of the target language.
    order : sequence of int, default=()
        Positions that are likely to be English and the target language, best first.
    """
    codes = ("en", target_lang)
    mapping = {names[at]: code for code in codes if (at := column_of(names, code)) is not None}
    left = [
        names[at]
        for at in dict.fromkeys((*order, *range(len(names))))
        if names[at].strip() and names[at] not in mapping and not is_language(names[at])
    ]
    missing = [code for code in codes if code not in mapping.values()]
    if len(left) < len(missing):
        return ""
    mapping.update(zip(left, missing, strict=False))
    return f"If columns hold these languages under other names, pass them, as in columns={mapping}."


def is_language(name: str) -> bool:
    """Whether a name is the code or name of a known language."""
    found = named_language(name)
    if found is None:
        return False
    tag, doubt = found
    return doubt == 1 or (doubt == 0 and (tag.language in TWO_LETTER or tag.script is not None))
