"""Tests of the keys of rows."""

from tests.encoders.cache.toy import UNUSUAL, key_of


def test_keys_are_of_one_size_and_differ():
    keys = {key_of(encoder, text) for encoder in ("", "a", "b", "a b") for text in UNUSUAL}
    assert len(keys) == 4 * len(UNUSUAL)
    assert {len(key) for key in keys} == {16}
    assert key_of("a", "b") == key_of("a", "b")
    assert key_of("ab", "c") != key_of("a", "bc")


def test_a_nul_in_a_name_is_not_a_separator():
    assert key_of("a", "b\0c") != key_of("a\0b", "c")


def test_a_folder_name_of_no_encoding_makes_a_key():
    # What os.fsdecode makes of a model folder named b"mod\xe8le".
    assert key_of("mod\udce8le@1", "a") != key_of("modle@1", "a")
