"""Language of rows: shared rows and rows of mixed kinds, beside language-identification packages."""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from langalign_sk._utils.normalization import normalize_texts
from langalign_sk.languages import LanguageRouter

from .._lib.data import LANGUAGES, SETS, data_folder, read_rows
from .._lib.machine import machine
from .._lib.tables import publish, to_rst, written_by

OURS, PEERS = "langalign_sk", ("py3langid", "lingua")
CODES = ("en", *LANGUAGES)
MIXED = Path(__file__).with_name("mixed_rows.tsv")
N_ROWS, SEED = 20_000, 0  # drawn rows per language, where there are more
NORMALIZATION = "normalization of langalign_sk"
SHARED, TUNED, ASIDE = "shared rows", "mixed rows, tuned on", "mixed rows, kept aside"


def shared_rows():
    """Distinct rows of all pairs and test sets by language; at most `N_ROWS` of each."""
    folder = data_folder()
    found: dict[str, dict[str, None]] = {code: {} for code in CODES}
    for language in LANGUAGES:
        sets = [folder / "eval" / name / f"{language}.tsv" for name in SETS]
        for path in (*sorted((folder / "parallel" / language).glob("*.tsv")), *sets):
            for english, target, *_ in read_rows(path):
                found["en"][english] = found[language][target] = None
    for path in sorted((folder / "eval").glob("*/*_*.tsv")):
        for _, *texts in read_rows(path):
            found[path.stem.split("_")[0]].update(dict.fromkeys(texts))
    return {code: drawn([text for text in found[code] if text.strip()]) for code in CODES}


def drawn(texts):
    """At most `N_ROWS` of the texts, in random order."""
    at = np.random.default_rng(SEED).permutation(len(texts))[:N_ROWS]
    return [texts[i] for i in at]


def mixed_rows(aside):
    """Rows of mixed kinds, (language, kind, text): every second of a kind is kept aside."""
    out: list[tuple[str, str, str]] = []
    seen: dict[tuple[str, str], int] = {}
    for language, kind, text in read_rows(MIXED):
        n = seen[language, kind] = seen.get((language, kind), 0) + 1
        if (n % 2 == 0) == aside:
            out.append((language, kind, text))
    return out


def detectors():
    """Functions from texts to codes by name; packages that are not there are left out."""
    out = {OURS: LanguageRouter(LANGUAGES).identify}
    if find_spec("py3langid"):
        out["py3langid"] = py3langid_detector()
    if find_spec("lingua"):
        out["lingua"] = lingua_detector()
    return out


def py3langid_detector():
    """py3langid, restricted to the four languages."""
    import py3langid

    py3langid.set_languages(list(CODES))
    return lambda texts: [str(py3langid.classify(text)[0]) for text in texts]


def lingua_detector():
    """lingua, restricted to the four languages; a row that it cannot tell counts as English."""
    from lingua import Language, LanguageDetectorBuilder

    named = dict(
        zip(
            (Language.ENGLISH, Language.KOREAN, Language.JAPANESE, Language.CHINESE),
            CODES,
            strict=True,
        )
    )
    detector = LanguageDetectorBuilder.from_languages(*named).build()

    def code_of(text):
        language = detector.detect_language_of(text)
        return "en" if language is None else named[language]

    return lambda texts: [code_of(text) for text in texts]


def shares(found, labels):
    """Share of the rows of each language whose language was detected correctly."""
    return {
        code: float(
            np.mean([f == code for f, label in zip(found, labels, strict=True) if label == code])
        )
        for code in CODES
    }


def main():
    print(machine(), "\n")
    shared = shared_rows()
    texts = [text for code in CODES for text in shared[code]]
    rows = {SHARED: (texts, [code for code in CODES for _ in shared[code]])}
    parts = {TUNED: mixed_rows(aside=False), ASIDE: mixed_rows(aside=True)}
    rows.update(
        {part: ([row[2] for row in of], [row[0] for row in of]) for part, of in parts.items()}
    )
    results: dict[str, Any] = {
        "rows": {
            part: {code: labels.count(code) for code in CODES} for part, (_, labels) in rows.items()
        },
        "right": {part: {} for part in rows},
        "kinds": {},
        "speed": {},
    }
    for name, detect in detectors().items():
        detect(texts[:100])  # what is loaded at the first call
        for part, (part_texts, labels) in rows.items():
            before = time.process_time()
            found = detect(part_texts)
            seconds = time.process_time() - before
            if part == SHARED:
                results["speed"][name] = speed(texts, labels, detect, seconds)
            results["right"][part][name] = shares(found, labels)
            print(name, part, results["right"][part][name], flush=True)
            if part == ASIDE:
                results["kinds"][name] = by_kind(parts[part], found)
    results["absent"] = [name for name in PEERS if name not in results["speed"]]
    before = time.process_time()
    normalize_texts(texts)
    results["speed"][NORMALIZATION] = speed(
        texts, rows[SHARED][1], normalize_texts, time.process_time() - before
    )
    publish("routing", results, pages)


def speed(texts, labels, detect, seconds):
    """Million characters a second of processor time: of all rows, and of the rows of each language."""
    out = {"all": sum(map(len, texts)) / seconds / 1e6}
    for code in CODES:
        own = [text for text, label in zip(texts, labels, strict=True) if label == code]
        before = time.process_time()
        detect(own)
        out[code] = sum(map(len, own)) / (time.process_time() - before) / 1e6
    return out


def by_kind(rows, found):
    """Rows whose language was detected correctly, and all rows, of each kind."""
    out: dict[str, list[int]] = {}
    for (language, kind, _), code in zip(rows, found, strict=True):
        counts = out.setdefault(kind, [0, 0])
        counts[0] += code == language
        counts[1] += 1
    return out


def pages(results):
    """Text of the docs."""
    names = [OURS, *(name for name in PEERS if name in results["speed"])]
    header = ["Rows", "Detector", *CODES, "number of rows"]
    rows = []
    for part, right in results["right"].items():
        n = results["rows"][part]
        for name in names:
            shown = [f"{right[name][code]:.4f}" for code in CODES]
            rows.append([part, name, *shown, " / ".join(f"{n[code]:,}" for code in CODES)])
    speeds = [
        [name, *(f"{results['speed'][name][what]:.3g}" for what in ("all", *CODES))]
        for name in (*names, NORMALIZATION)
    ]
    kinds = [
        [kind, str(n), *(str(results["kinds"][name][kind][0]) for name in names)]
        for kind, (_, n) in sorted(results["kinds"][OURS].items())
    ]
    absent = "".join(f" {name} was not installed and is absent." for name in results["absent"])
    text = (
        "Share of the rows of each language whose language is detected correctly, among English, "
        f"Korean, Japanese and Chinese. Shared rows are those of all pairs and test sets, {N_ROWS:,} "
        "drawn where there are more; mixed rows were written for this benchmark "
        "(``benchmarks/scores/mixed_rows.tsv``) before the rules were tuned on one half of them. "
        "Errors on the shared rows were looked at while the rules were made; those on the rows kept "
        f"aside were not. The packages choose among the same four languages.{absent}\n\n"
        + to_rst(header, rows)
        + "\nRows of the mixed kinds kept aside whose language is detected correctly:\n\n"
        + to_rst(["Kind", "number of rows", *names], kinds)
        + "\nMillion characters a second of processor time, on one core:\n\n"
        + to_rst(["", "all rows", *CODES], speeds)
        + "\n"
        + written_by("scores --only routing", results)
    )
    return {"routing": text}
