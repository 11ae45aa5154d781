"""Tests of FolderCache with damaged rows and databases."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.encoders.cache.toy import TEXTS, database, encoded, key_of, silence, sql


def flip_a_bit(cache):
    """Of the row of TEXTS[4]."""
    ((n, row),) = sql(cache, "SELECT n, row FROM rows WHERE key=?", key_of("toy@1", TEXTS[4]))
    sql(cache, "UPDATE rows SET row=? WHERE n=?", bytes([*row[:5], row[5] ^ 1, *row[6:]]), n)


def assert_mended(cache, n_damaged, again):
    """As many rows were encoded again, and are kept in the place of the damaged ones."""
    assert len(again) == n_damaged
    with silence():
        assert encoded(cache, TEXTS) == []
    assert sql(cache, "SELECT count(*) FROM rows") == [(10,)]


def test_a_flipped_bit_is_mended(folder):
    flip_a_bit(folder)
    with pytest.warns(UserWarning, match="^1 rows in the cache folder .*rows' are damaged"):
        again = encoded(folder, TEXTS)
    assert again == [TEXTS[4]]
    assert_mended(folder, 1, again)


@pytest.mark.parametrize(
    ("change", "n_damaged"),
    [
        ("row=CAST(substr(row, 1, 28) AS BLOB) WHERE n=5", 1),
        ("row=x'' WHERE n=5", 1),
        ("row=zeroblob(32) WHERE n=5", 1),
        ("row=zeroblob(64)", 10),
        ("sum=sum + 1 WHERE n IN (2, 3)", 2),
        ("sum='sum' WHERE n=5", 1),
        ("row=(SELECT row FROM rows WHERE n=1) WHERE n=5", 1),
    ],
)
def test_damaged_rows_are_mended(folder, change, n_damaged):
    sql(folder, f"UPDATE rows SET {change}")
    with pytest.warns(UserWarning, match=f"^{n_damaged} rows in the cache folder .* are damaged"):
        again = encoded(folder, TEXTS)
    assert_mended(folder, n_damaged, again)


def test_a_row_under_the_key_of_another_is_damaged(folder):
    keys = [key_of("toy@1", text) for text in TEXTS[:2]]
    for new, old in ((b"aside", keys[0]), (keys[0], keys[1]), (keys[1], b"aside")):
        sql(folder, "UPDATE rows SET key=? WHERE key=?", new, old)
    with pytest.warns(UserWarning, match="^2 rows"):
        assert sorted(encoded(folder, TEXTS)) == TEXTS[:2]


def test_a_damaged_row_is_warned_of_once(folder):
    flip_a_bit(folder)
    with pytest.warns(UserWarning, match="damaged") as told:
        encoded(folder, TEXTS)
    assert len(told) == 1


@pytest.mark.parametrize("value", [b"a" * 32, b"\xff" * 32, 5], ids=["text", "no UTF-8", "number"])
def test_a_row_of_another_type_is_encoded_again(folder, value):
    # One flipped bit of a record's header makes a blob a text.
    cast = "?" if value == 5 else "CAST(? AS TEXT)"
    sql(folder, f"UPDATE rows SET row={cast} WHERE n=5", value)
    with pytest.warns(UserWarning, match="damaged"):
        assert encoded(folder, TEXTS) == [TEXTS[4]]
    with silence():
        assert encoded(folder, TEXTS) == []


def overwrite(path):
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def tear(path):
    data = bytearray(path.read_bytes())
    data[: 2 * 8192] = data[: 2 * 8192].translate(bytes(range(255, -1, -1)))
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        overwrite,
        tear,
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 8192),
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 7),
    ],
    ids=["overwritten", "torn", "half", "a page", "a header", "7 bytes"],
)
def test_a_damaged_database_is_set_aside(folder, damage):
    damage(database(folder))
    damaged = database(folder).read_bytes()
    with pytest.warns(UserWarning, match=r"is damaged .*set aside as .*\.damaged-.* again") as told:
        assert encoded(folder, TEXTS) == TEXTS
    assert len(told) == 1
    (aside,) = Path(folder.folder).glob("rows.sqlite.damaged-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in str(told[0].message)
    with silence():
        assert encoded(folder, TEXTS) == []
        assert folder.info()["rows"].tolist() == [10]


def test_an_empty_database_is_a_new_one(folder):
    os.truncate(database(folder), 0)
    with silence():
        assert encoded(folder, TEXTS) == TEXTS
        assert encoded(folder, TEXTS) == []


def test_threads_that_meet_damage_get_the_right_rows(folder):
    overwrite(database(folder))
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("ignore")
        list(pool.map(lambda _: encoded(folder, TEXTS), range(8)))
        encoded(folder, TEXTS)
    with silence():
        assert encoded(folder, TEXTS) == []


def test_a_database_without_its_tables_works_again(folder):
    sql(folder, "DROP TABLE rows")
    with pytest.warns(UserWarning, match="damaged|could not be used"):
        encoded(folder, TEXTS)
    with silence():
        assert encoded(folder, TEXTS) == []
