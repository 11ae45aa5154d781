"""Quality scores of sentences like the fit against broken and foreign ones: areas under the curve."""

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from langalign_sk import CrossLingualAligner
from langalign_sk.languages import script_of

from .._lib.data import LANGUAGES, data_folder, read_rows
from .._lib.encoders import encoder
from .._lib.machine import machine
from .._lib.tables import publish, to_rst, written_by

NAME = "use-multilingual"
SIZES = (640, 5_000)
N_HELD_OUT, N_BROKEN = 500, 300
SEED = 1  # settings were chosen on a draw of seed 0
# Written for this benchmark: the data folder has no other language of Latin script.
LATIN, CYRILLIC = (
    Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    for name in ("latin.txt", "cyrillic.txt")
)


def drawn(language, n):
    """Pairs [English, target] of all training sources, no sentence twice."""
    seen: set[str] = set()
    pairs = []
    for path in sorted((data_folder() / "parallel" / language).glob("*.tsv")):
        for row in read_rows(path):
            if not seen & {row[0], row[1]}:
                seen |= {row[0], row[1]}
                pairs.append(row[:2])
    order = np.random.default_rng(SEED).permutation(len(pairs))[:n]
    return [pairs[i] for i in order]


def shuffled(texts, spaced):
    """Texts with their words or characters in another order; those with a single order are left out."""
    rng, out = np.random.default_rng(SEED), []
    for text in texts:
        parts = text.split() if spaced else list(text)
        for _ in range(10):
            other = (" " if spaced else "").join(rng.permutation(parts))
            if other != text:
                out.append(other)
                break
    return out


def random_bytes(n):
    """Random bytes decoded as text, a third each as Latin-1, UTF-8 and UTF-16."""
    rng, out = np.random.default_rng(SEED), []
    for i in range(n):
        raw = rng.integers(0, 256, 2 * rng.integers(8, 40), dtype=np.uint8).tobytes()
        text = raw.decode(("latin-1", "utf-8", "utf-16-le")[i % 3], "replace")
        out.append(text if text.strip() else "?")
    return out


def negatives(language, held_out):
    """Broken and foreign rows by kind."""
    kinds = {"shuffled": shuffled(held_out, language in ("ko", "en"))}
    if language == "en":
        kinds["other languages"] = LATIN
    else:
        others = [other for other in LANGUAGES if other != language]
        foreign = [text for other in others for _, text in drawn(other, N_BROKEN)]
        kinds["other languages"] = foreign + LATIN + CYRILLIC
        # What the router takes for the declared language.
        own = {"ko": "Hangul", "ja": "Han", "zh": "Han"}[language]
        texts = (text for other in others for _, text in drawn(other, 20_000))
        same = [text for text in texts if script_of(text) == own][:N_BROKEN]
        if len(same) >= N_BROKEN // 4:
            kinds["other language, same script"] = same
    kinds["random bytes"] = random_bytes(N_BROKEN)
    return kinds


def areas(score, held_out, kinds):
    """AUC by kind, and how many of the held-out rows score below 0.05."""
    good = score(held_out)
    out = {}
    for kind, rows in kinds.items():
        bad = score(rows)
        labels = np.repeat([1, 0], [len(good), len(bad)])
        out[kind] = roc_auc_score(labels, np.concatenate((good, bad)))
    out["held out, below 0.05"] = float((good < 0.05).mean())
    return out


def measure(language, size):
    """Areas of text in the target language, of its embeddings, and of English text."""
    source = encoder(NAME)
    pairs = drawn(language, size + N_HELD_OUT)
    fitted, held_out = pairs[:size], pairs[size:]
    aligner = CrossLingualAligner(
        language, encoder=source, method="ridge", alpha=10.0, random_state=0
    ).fit([(target, english) for english, target in fitted])
    english, target = ([pair[side] for pair in held_out] for side in (0, 1))
    kinds = negatives(language, target)
    return {
        "text": areas(aligner.quality_score, target, kinds),
        "embeddings": areas(lambda rows: aligner.quality_score(source.encode(rows)), target, kinds),
        "English text": areas(aligner.quality_score, english, negatives("en", english)),
    }


def main():
    print(machine(), "\n")
    results = {}
    for language in LANGUAGES:
        for size in SIZES:
            results[f"{language} {size}"] = measured = measure(language, size)
            for what, values in measured.items():
                shown = ", ".join(f"{kind} {area:.3f}" for kind, area in values.items())
                print(f"{language}, {size} pairs, {what}: {shown}", flush=True)
    publish("quality", results, pages)


def pages(results):
    """Text of the docs."""
    header = ["Fit", "Rows", "shuffled", "other languages", "other language, same script"]
    header += ["random bytes", "held out, below 0.05"]
    rows = []
    fits = {name: measured for name, measured in results.items() if name != "machine"}
    for name, measured in fits.items():
        language, size = name.split()
        for what, values in measured.items():
            cells = [f"{values[kind]:.3f}" if kind in values else "" for kind in header[2:]]
            rows.append([f"{language}, {int(size):,} pairs", what, *cells])
    text = (
        f"Area under the ROC curve of `quality_score`, {N_HELD_OUT} held-out sentences of the fit's "
        "sources against broken and foreign rows; the last column is the share of the held-out "
        f"sentences that score below 0.05. Encoder: {NAME}. Words are shuffled, in Japanese and "
        "Chinese characters. Other languages are two of Korean, Japanese and Chinese, Russian, "
        "German, French and Spanish; for English text the last three.\n\n"
        + to_rst(header, rows)
        + "\n"
        + written_by("quality", results)
    )
    return {"quality": text}
