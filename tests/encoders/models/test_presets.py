"""Tests of the list of well-known encoders."""

from langalign_sk.encoders import list_encoders


def test_every_built_in_name_has_a_line():
    assert {"use-multilingual", "minilm-english"} <= set(list_encoders())
    assert all("\n" not in line and line for line in list_encoders().values())
