"""Script of Chinese text: Simplified or Traditional."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

__all__ = ["chinese_script"]


_LEAST_ROWS = 3
_LEAST_SHARE = 0.1
_MAJORITY = 4


def chinese_script(texts: Sequence[str]) -> str | None:
    """Script of Chinese texts, by the characters that only one of the two scripts has.

    A character that GB 2312 has and Big5 has not is Simplified, and the other way round; most
    characters are in both. One script must have at least three rows, a tenth of all rows, and four
    times the rows of the other.

    Parameters
    ----------
    texts : sequence of str
        Rows of text.

    Returns
    -------
    str or None
        "Hans" (Simplified), "Hant" (Traditional), or None if the rows do not say.

    Examples
    --------
    >>> from langalign_sk.languages.chinese import chinese_script
    >>> chinese_script(["请问网络在哪里", "谢谢您", "这个问题很难"])
    'Hans'
    """
    rows = {"Hans": 0, "Hant": 0}
    for text in texts:
        found = {script for character in set(text) if (script := _script_of(character))}
        for script in found:
            rows[script] += 1
    most, other = ("Hans", "Hant") if rows["Hans"] >= rows["Hant"] else ("Hant", "Hans")
    least = max(_LEAST_ROWS, _LEAST_SHARE * len(texts), _MAJORITY * rows[other])
    return most if rows[most] >= least else None


@lru_cache(maxsize=30_000)
def _script_of(character: str) -> str | None:
    if not "\u4e00" <= character <= "\u9fff":
        return None
    simplified, traditional = (_has(codec, character) for codec in ("gb2312", "big5"))
    if simplified == traditional:
        return None
    return "Hans" if simplified else "Hant"


def _has(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
