"""Zero-shot accuracy: classifiers trained on English rows only, tested on other languages.

Nothing here is chosen on a test row: every setting is the default of the package.
"""

import warnings

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner

from ._common import (
    ROOT,
    Cached,
    data_folder,
    machine,
    read_rows,
    to_markdown,
    to_rst,
    write_readme,
    write_results,
)

TASKS = {
    "sib200": ("ko", "ja", "zh"),
    "debian_section": ("ko", "ja", "zh"),
    "xrisawoz_domain": ("ko", "zh"),
}
LANGUAGES = ("ko", "ja", "zh")
MAX_PAIRS = 20_000
SEED = 0
ENGLISH = "English test rows"
CEILING = f"{ENGLISH} (ceiling)"  # a bag of words is no ceiling for a sentence encoder behind it
HEAD = {"C": 10, "max_iter": 2000}


def load_task(folder, task):
    """English training rows and the test rows of every language, as (texts, labels)."""

    def rows(name):
        labels, texts = zip(*(r[:2] for r in read_rows(folder / "eval" / task / name)), strict=True)
        return list(texts), np.array(labels)

    tests = {lang: rows(f"{lang}_test.tsv") for lang in ("en", *TASKS[task])}
    return rows("en_train.tsv"), tests


def load_pairs(folder):
    """Up to MAX_PAIRS random pairs a language from all sources, as parallel= takes them."""
    out = {}
    for lang in LANGUAGES:
        files = sorted((folder / "parallel" / lang).glob("*.tsv"))
        rows = [r for path in files for r in read_rows(path)]
        keep = np.random.default_rng(SEED).permutation(len(rows))[:MAX_PAIRS]
        out[lang] = [rows[i][1] for i in keep], [rows[i][0] for i in keep]
    return out


def head():
    return LogisticRegression(**HEAD)


def main():
    folder = data_folder()
    use, minilm = Cached("use-multilingual"), Cached("minilm-english")
    pairs = load_pairs(folder)
    results, chosen = {}, {}

    def record(system, task, scores):
        for lang, score in scores.items():
            results.setdefault(system, {}).setdefault(lang, {})[task] = round(float(score), 4)

    for task, languages in TASKS.items():
        print(f"{task} ...", flush=True)
        (X, y), tests = load_task(folder, task)
        tfidf = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2),
            TruncatedSVD(min(200, len(X) - 1), random_state=SEED),
        ).fit(X)
        for family, encoder in (("MiniLM", minilm), ("TF-IDF", tfidf)):
            vectors = encoder.encode if encoder is minilm else encoder.transform
            english = head().fit(vectors(X), y)
            ceiling = english.score(vectors(tests["en"][0]), tests["en"][1])
            name = f"{family}: {CEILING if encoder is minilm else ENGLISH}"
            record(name, task, dict.fromkeys(languages, ceiling))
            straight = {
                lang: english.score(vectors(tests[lang][0]), tests[lang][1]) for lang in languages
            }
            record(f"{family}: text fed straight in", task, straight)

        systems = {
            "MiniLM: aligned, no parallel sentence": {"english_encoder": minilm, "corpus": None},
            "MiniLM: aligned, starter corpus": {"english_encoder": minilm},
            "TF-IDF: aligned, no parallel sentence": {"english_encoder": tfidf, "corpus": None},
            "USE: no alignment": {"corpus": None},
            "USE: aligned, starter corpus": {},
            # Closed forms alone; trained maps have a benchmark of their own.
            f"USE: aligned, up to {MAX_PAIRS:,} pairs": {"parallel": pairs, "time_budget": 0},
        }
        for name, parameters in systems.items():
            parameters = dict(parameters)
            fit = {}
            if "parallel" in parameters:
                fit["crosslingualaligner__parallel"] = {
                    lang: parameters["parallel"][lang] for lang in languages
                }
                del parameters["parallel"]
            aligner = CrossLingualAligner(languages, encoder=use, random_state=SEED, **parameters)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what the report says, once a task
                pipe = make_pipeline(aligner, head()).fit(X, y, **fit)
            record(name, task, {lang: pipe.score(*tests[lang]) for lang in languages})
            chosen.setdefault(name, {})[task] = {
                lang: f"{m.method_}" + (f"({m.alpha_:g})" if m.alpha_ else "")
                for lang, m in pipe[0].language_map_.items()
            }
            if name == "USE: no alignment":
                ceiling = pipe.score(*tests["en"])
                record(f"USE: {CEILING}", task, dict.fromkeys(languages, ceiling))

    use.save()
    minilm.save()
    order = [
        f"{f}: {s}"
        for f in ("MiniLM", "TF-IDF", "USE")
        for s in (
            "text fed straight in",
            "no alignment",
            "aligned, no parallel sentence",
            "aligned, starter corpus",
            f"aligned, up to {MAX_PAIRS:,} pairs",
            CEILING,
            ENGLISH,
        )
    ]
    header = ["English system and input", *LANGUAGES]
    rows = [
        [name, *(f"{np.mean(list(results[name][lang].values())):.3f}" for lang in LANGUAGES)]
        for name in order
        if name in results
    ]
    width = max(len(r[0]) for r in rows)
    print(f"\nMean test accuracy ({machine()})\n")
    for row in [header, *rows]:
        print(row[0].ljust(width), *(cell.rjust(6) for cell in row[1:]))
    write_results(
        "accuracy", {"seed": SEED, "head": HEAD, "accuracy": results, "language_maps": chosen}
    )
    write_readme("accuracy", to_markdown(header, rows) + f"\n\nMachine: {machine()}.")
    write_rst(header, rows, results)


def write_rst(header, rows, results):
    """The table for the docs: the means, then every task."""
    tasks = [["System", "Task", *LANGUAGES]]
    for name, _, *_ in rows:
        for task in TASKS:
            cells = (results[name].get(lang, {}).get(task) for lang in LANGUAGES)
            tasks.append([name, task, *("–" if c is None else f"{c:.3f}" for c in cells)])
    text = (
        "Mean test accuracy over the tasks that exist for each language:\n\n"
        + to_rst(header, rows)
        + "\nBy task:\n\n"
        + to_rst(tasks[0], tasks[1:])
        + f"\nWritten by ``python -m benchmarks accuracy``. Machine: {machine()}.\n"
    )
    (ROOT / "docs" / "_generated" / "accuracy.rst").write_text(text, encoding="utf-8")
