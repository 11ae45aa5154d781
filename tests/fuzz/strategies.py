"""Input that is nearly right, which comes further than noise."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.targets import places_in

# Surrogates, marks, joiners, full-width letters and letters that become many are worth a try each.
LETTERS = st.one_of(
    st.sampled_from("가각힣あカ漢字中aZ0 .,!\t\n\r\"'\\{}[]<>&;:\x00\x1c\x85\xa0\xad"),
    st.sampled_from(
        "\ud83d\udc00\u0301\u0316\u1100\u1161\u11a8\u200b\u200d\u3000\ufdfa\ufeff\uffff"
    ),
    st.sampled_from("\uff21\uff01\U0001f600\U0001f468\U0001f3f4\U000e0067\U000e007f\u0915\u094d"),
    st.characters(codec=None),
)
TEXTS = st.text(LETTERS, max_size=40)
LANGUAGES = ["ko", "en", "ko-KR", "kor_Hang", "Korean", "en-US", "fr", "id"]

TSV = "en\tko\nHello\t안녕하세요\nGood night\t잘 자요\n"
TMX = (
    '<?xml version="1.0" encoding="UTF-8"?><tmx version="1.4"><header srclang="en"/><body>'
    '<tu><tuv xml:lang="en"><seg>Hello</seg></tuv><tuv xml:lang="ko"><seg>안녕</seg></tuv></tu>'
    "</body></tmx>"
)
SEEDS = {
    ".tsv": [TSV, "1\tHello\t안녕\t9\n", ""],
    ".csv": [TSV.replace("\t", ","), 'en;ko\n"a ""b""";"가\n나"\n'],
    ".jsonl": ['{"en": "Hello", "ko": "안녕"}\n', '{"translation": {"en": "a", "ko": "가"}}\n'],
    ".json": ['[{"en": "Hello", "ko": "안녕"}]', '{"en": ["a", "b"], "ko": ["가", null]}'],
    ".tmx": [TMX, TMX.replace("Hello", "&#xd83d; &amp;amp;")],
}


@st.composite
def edited(draw: Any, seed: bytes) -> bytes:
    """Bytes with a few places replaced, cut or doubled."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        end = at + draw(st.integers(0, 8))
        put = st.one_of(st.binary(max_size=6), TEXTS.map(as_bytes), st.just(bytes(data[at:])))
        data[at:end] = draw(put)
    return bytes(data[:5_000])


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def files(draw: Any, suffix: str) -> bytes:
    """A file of pairs with something odd about it."""
    plain = "." + suffix.split(".")[1]
    seed = draw(st.sampled_from(SEEDS[plain]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp949", "utf-8"]))
    data = draw(edited(seed.encode(encoding, "replace")))
    if suffix.endswith(".gz"):
        return draw(edited(gzip.compress(data, mtime=0)))
    if suffix.endswith(".zip"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("pairs.csv", data)
        return draw(edited(file.getvalue()))
    return data


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(LETTERS, max_size=12),
        st.sampled_from(["../x", "/etc/passwd", ".", "", "coef_", "<f8", "<O", "README.md"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["$array", "$object", "$tuple", "$float", "$dict", "state"]),
                st.text(LETTERS, max_size=6),
            ),
            inner,
            max_size=3,
        ),
        st.builds(
            lambda n, dtype, times: [{"$eye": [n, dtype]}] * times,
            st.sampled_from([-1, 0, 3, 64, 1_024, 16_384, 2**20]),
            st.sampled_from(["<f4", "<f8"]),
            st.integers(1, 12),
        ),
        st.builds(lambda n: {"$eye": [n, "<f4"]}, st.integers(-1, 2**20)),
    ),
    max_leaves=8,
)


def edits(target: str) -> Any:
    """Cases of edits of a folder, see `tests.fuzz.targets.edited`."""
    of_bytes = st.builds(
        lambda i, at, new, cut: {"file": i, "at": at, "bytes": new.hex(), "cut": cut},
        st.integers(0, 9),
        st.integers(0, 100_000),
        st.binary(max_size=16),
        st.booleans(),
    )
    kinds = [of_bytes]
    if target != "cache":
        kinds.append(
            st.builds(
                lambda path, value: {"path": path, "value": value},
                st.sampled_from(places_in(target)),
                VALUES,
            )
        )
    listed = st.lists(st.one_of(kinds), min_size=1, max_size=4)
    return listed.map(lambda case: json.dumps(case).encode())


def bodies() -> Any:
    """Bodies of requests: right ones, JSON of another form, and damaged ones."""
    texts = st.lists(st.one_of(TEXTS, st.sampled_from(["poison", "odd", " "])), max_size=10)
    right = texts.map(lambda rows: json.dumps({"texts": rows}).encode())
    raw = texts.map(lambda rows: as_bytes(json.dumps({"texts": rows}, ensure_ascii=False)))
    other = VALUES.map(lambda value: json.dumps({"texts": value}).encode())
    deep = st.builds(
        lambda n, part: part * n, st.integers(1, 1_500), st.sampled_from([b"[", b'{"a":', b"9"])
    )
    damaged = right.flatmap(edited)
    return st.one_of(right, raw, other, VALUES.map(json.dumps).map(str.encode), deep, damaged)


def rows_of_text() -> Any:
    """Rows for routing, joined by a null character."""
    return st.lists(TEXTS, max_size=6).map(
        lambda rows: "\0".join(rows).encode("utf-16-le", "surrogatepass")
    )
