"""Evaluation corpora, and pairs that are drawn."""

import os
from pathlib import Path

import numpy as np

from .paths import ROOT

TASKS = {
    "sib200": ("ko", "ja", "zh"),
    "debian_section": ("ko", "ja", "zh"),
    "xrisawoz_domain": ("ko", "zh"),
}
LANGUAGES = ("ko", "ja", "zh")
# Pairs per language; fewer for e5, which encodes a hundredth of the texts per second.
MAX_PAIRS = {"USE": 20_000, "e5": 5_000}
SEED = 0
SETS = ("tatoeba", "ntrex")
SIZES = (100, 300, 1_000, 3_000, 10_000, 20_000)
SEEDS = (0, 1, 2)
BLOCK = 10_000  # rows


def data_folder() -> Path:
    """Evaluation corpora: LANGALIGN_DATA, or shared/data beside the repository."""
    given = os.environ.get("LANGALIGN_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        raise SystemExit(f"no evaluation corpora in {folder}: set LANGALIGN_DATA to their folder")
    return folder


def read_rows(path: Path) -> list[list[str]]:
    """Cells of a tab-separated file without a header."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]


def load_task(folder, task, languages=None):
    """English training rows and the test rows of every language, as (texts, labels)."""

    def rows(name):
        labels, texts = zip(
            *(row[:2] for row in read_rows(folder / "eval" / task / name)), strict=True
        )
        return list(texts), np.array(labels)

    tests = {lang: rows(f"{lang}_test.tsv") for lang in ("en", *(languages or TASKS[task]))}
    return rows("en_train.tsv"), tests


def capped(texts, labels, limit):
    """At most `limit` random rows of a task, texts or vectors."""
    if limit is None or len(texts) <= limit:
        return texts, labels
    at = np.random.default_rng(SEED).permutation(len(texts))[:limit]
    return texts[at] if isinstance(texts, np.ndarray) else [texts[i] for i in at], labels[at]


def load_pairs(folder, n, languages=LANGUAGES):
    """Up to `n` random pairs per language from all sources, as parallel= takes them; None is all."""
    out = {}
    for lang in languages:
        files = sorted((folder / "parallel" / lang).glob("*.tsv"))
        rows = [row for path in files for row in read_rows(path)]
        keep = np.random.default_rng(SEED).permutation(len(rows))[:n]
        out[lang] = [rows[i][1] for i in keep], [rows[i][0] for i in keep]
    return out


def pool(folder, lang, limit):
    """Distinct pairs among up to `limit` random ones, as (target, english) lists."""
    target, english = load_pairs(folder, limit, [lang])[lang]
    pairs = dict.fromkeys(zip(target, english, strict=True))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def unseen(folder, lang, limit, n):
    """Up to n pairs that share no text with ``pool(folder, lang, limit)`` nor with each other."""
    target, english = load_pairs(folder, None, [lang])[lang]
    known = {*target[:limit], *english[:limit]}
    pairs: list[tuple[str, str]] = []
    for pair in zip(target[limit:], english[limit:], strict=True):
        if len(pairs) < n and not known.intersection(pair):
            pairs.append(pair)
            known.update(pair)
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def draw(n_pool, n, seed):
    """Places of n pairs of a pool; those of a seed lie within its larger draws."""
    return np.random.default_rng(seed).permutation(n_pool)[:n]


def random_pairs(n, d, spaces=1):
    """Rows X and Y like two languages in one encoder: near the identity, a decaying spectrum.

    With two spaces, Y is rotated, as if it came from another encoder of the same width. Rows are
    drawn a block at a time, so that no peak of memory is left behind.
    """
    rng = np.random.default_rng(0)
    scale = ((1 + np.arange(d)) ** -0.5).astype(np.float32)
    X, Y = (np.empty((n, d), dtype=np.float32) for _ in range(2))
    for i in range(0, n, BLOCK):
        shape = X[i : i + BLOCK].shape
        Y[i : i + BLOCK] = rng.standard_normal(shape, dtype=np.float32) * scale
        noise = rng.standard_normal(shape, dtype=np.float32) * scale
        X[i : i + BLOCK] = Y[i : i + BLOCK] + 0.5 * noise + 0.3 * scale
    if spaces == 2:
        rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
        Y = Y @ rotation.astype(np.float32)
    return X, Y
