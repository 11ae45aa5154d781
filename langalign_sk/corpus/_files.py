"""Text of files of pairs: compression, encoding and lines."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

__all__ = [
    "JSON_LINES",
    "SUFFIXES",
    "TABLES",
    "read_bytes",
    "read_lines",
    "read_text",
    "stem_of",
    "suffix_of",
]


TABLES = (".tsv", ".txt", ".csv")
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (*TABLES, *JSON_LINES, ".tmx")


def read_lines(path: Path, encoding: str) -> list[str]:
    """Lines of a text file without their ends; a .gz file is unpacked."""
    # str.splitlines would also split at U+2028, U+0085 and more, which belong to a sentence.
    lines = read_text(path, encoding).split("\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def stem_of(path: Path) -> str:
    """File name without .gz and without its suffix."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def suffix_of(path: Path) -> str:
    if path.suffix.lower() != ".gz":
        return path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner if inner in SUFFIXES else ".gz"


def read_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{str(path)!r} is not a complete gzip file: {error}.") from error


def read_text(path: Path, encoding: str) -> str:
    data = read_bytes(path)
    # Windows programs put a byte order mark before UTF-8, which does not belong to the first sentence.
    codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{str(path)!r}, line {line}: the bytes are not {encoding!r} text. Pass encoding=, "
            'for instance encoding="cp949" (Korean), "cp932" (Japanese), "gb18030" (Chinese) or '
            '"utf-16".'
        ) from error
