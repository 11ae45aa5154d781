"""Reading of requests, at a cost that the limits bound."""

from __future__ import annotations

import json
import re
from typing import Any, Literal
from unicodedata import is_normalized, normalize

from .._utils.normalization import is_blank, joined_surrogates, marks_cut
from ._limits import ServiceLimits

__all__ = ["RefusedError", "check_row", "most_parts", "read_texts"]

# A letter takes up to three characters where it is written in parts, as macOS writes Korean.
_N_PARTS = 4
# A letter has 30 marks at most in these forms.
_SLICE, _BORDER = 128, 32
_NORMAL_FORMS: tuple[Literal["NFC"], Literal["NFKC"]] = ("NFC", "NFKC")
# A string of JSON, or what follows a quotation mark without an end. Possessive, so that no input
# takes more than one pass and no memory is needed for the way back.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BLANKS = b" \t\r\n"
_MOST_HALVES = 10_000
_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


class RefusedError(Exception):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Status of HTTP.
    detail : str
        What is wrong, for the client. It quotes nothing of the request.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status, self.detail = status, detail


def read_texts(body: bytes | bytearray, limits: ServiceLimits) -> list[str]:
    """Texts of a body ``{"texts": [...]}``; the first thing that is wrong with it ends the reading.

    Parameters
    ----------
    body : bytes
        JSON, of at most `max_body_bytes`.
    limits : ServiceLimits
        Number of rows.

    Returns
    -------
    list of str
        The texts as they were sent.

    Raises
    ------
    RefusedError
        With status 422, if the body is not JSON or has another form.
    """
    if _has_many_parts(body, most := most_parts(limits)):
        raise RefusedError(
            422,
            f"body: the JSON of {limits.max_rows} texts has fewer than {most} parts; send fewer texts.",
        )
    try:
        text = _decoded(body)
    except ValueError:
        raise RefusedError(422, "body: the body is not JSON in UTF-8") from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, endless numbers, deep nesting
        raise RefusedError(422, "body: the body is not valid JSON") from None
    if not isinstance(content, dict):
        raise RefusedError(422, "body: Input should be a valid dictionary")
    if "texts" not in content:
        raise RefusedError(422, "body.texts: Field required")
    texts: Any = content["texts"]
    if not isinstance(texts, list):
        raise RefusedError(422, "body.texts: Input should be a valid list")
    if not 1 <= len(texts) <= limits.max_rows:
        raise RefusedError(422, f"texts has {len(texts)} rows; send 1 to {limits.max_rows}.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise RefusedError(422, f"body.texts.{i}: Input should be a valid string")
    return texts


def _decoded(body: bytes | bytearray) -> str:
    """Text of a body, with U+FFFD for each half of a surrogate pair that is encoded by itself."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        # A body of nothing else would take a second or two, and nobody else is answered meanwhile.
        return _HALF.sub(b"\xef\xbf\xbd", body, count=_MOST_HALVES).decode("utf-8-sig")


def most_parts(limits: ServiceLimits) -> int:
    """Strings, or signs outside of strings, that a right body may have; also its lines."""
    return 4 * limits.max_rows + 1_000


def _has_many_parts(body: bytes | bytearray, most: int) -> bool:
    """Whether a body has more strings, or more signs outside of strings, than a right one.

    The JSON decoder holds the lock of the interpreter until it has made an object of each part, and
    nobody else is answered meanwhile (``python -m benchmarks hostile``, wrong items).
    """
    signs = end = 0
    for n, string in enumerate(_STRING.finditer(body)):
        signs += len(body[end : string.start()].translate(None, _BLANKS))
        end = string.end()
        if n >= most or signs > most:
            return True
    return signs + len(body[end:].translate(None, _BLANKS)) > most


def check_row(text: str, row: int, limits: ServiceLimits) -> tuple[str, str | None]:
    """Text with every pair of surrogates joined, and what is wrong with it or None.

    Parameters
    ----------
    text : str
        Text of a row.
    row : int
        Its number, for the message.
    limits : ServiceLimits
        Number of letters.

    Returns
    -------
    text : str
        The text, with U+FFFD for half a surrogate pair.
    error : str or None
        Why the row cannot be answered.
    """
    if is_blank(text):
        return text, f"texts[{row}] is empty."
    too_long = f"texts[{row}] has over {limits.max_letters} letters."
    if len(text) > _N_PARTS * limits.max_letters:
        return text, too_long
    text = joined_surrogates(text)
    return text, too_long if _is_longer(text, limits.max_letters) else None


def _is_longer(text: str, n: int) -> bool:
    """Whether a text has more than n letters in NFC or NFKC, at a cost that n bounds.

    Of both, since an encoder may read either. A text that becomes far longer is told by its first
    slices. Letters at the border of two slices may be fewer in the whole, so these do not count.
    """
    text = marks_cut(text)  # sorting a long run takes quadratic time
    for form in _NORMAL_FORMS:
        if len(text) <= n and is_normalized(form, text):
            continue
        letters = 0
        for start in range(0, len(text), _SLICE):
            letters += len(normalize(form, text[start : start + _SLICE])) - _BORDER
            if letters > n:
                return True
        if len(normalize(form, text)) > n:
            return True
    return False
