"""Zero-shot accuracy: classifiers trained on English rows only, tested on other languages.

Nothing here is chosen on a test row: every setting is the default of the package.
"""

import warnings

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner

from .._lib.data import LANGUAGES, MAX_PAIRS, SEED, TASKS, data_folder, load_pairs, load_task
from .._lib.encoders import e5, encoder
from .._lib.heads import HEAD, head
from .._lib.machine import machine
from .._lib.tables import to_markdown, to_rst, write_page, write_readme, write_results

ENGLISH = "English test rows"
CEILING = f"{ENGLISH} (ceiling)"  # a bag of words is no ceiling for a sentence encoder behind it
STRAIGHT, UNALIGNED = "text fed straight in", "no alignment"
NO_PAIRS, STARTER = "aligned, no parallel sentence", "aligned, starter corpus"
MANY_PAIRS = {f: f"aligned, up to {n:,} pairs" for f, n in MAX_PAIRS.items()}


def main():
    folder = data_folder()
    use, minilm = encoder("use-multilingual"), encoder("minilm-english")
    multilingual = {"USE": use, "e5": e5()}
    pairs = {family: load_pairs(folder, n) for family, n in MAX_PAIRS.items()}
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
        for family, system in (("MiniLM", minilm), ("TF-IDF", tfidf)):
            vectors = system.transform
            english = head().fit(vectors(X), y)
            ceiling = english.score(vectors(tests["en"][0]), tests["en"][1])
            name = f"{family}: {CEILING if system is minilm else ENGLISH}"
            record(name, task, dict.fromkeys(languages, ceiling))
            straight = {
                lang: english.score(vectors(tests[lang][0]), tests[lang][1]) for lang in languages
            }
            record(f"{family}: {STRAIGHT}", task, straight)

        # Family, name of the row, multilingual encoder, parameters of the aligner.
        systems = [
            ("MiniLM", NO_PAIRS, "USE", {"english_encoder": minilm, "corpus": None}),
            ("MiniLM", STARTER, "USE", {"english_encoder": minilm}),
            ("MiniLM", f"{NO_PAIRS}, from e5", "e5", {"english_encoder": minilm, "corpus": None}),
            ("MiniLM", f"{STARTER}, from e5", "e5", {"english_encoder": minilm}),
            ("TF-IDF", NO_PAIRS, "USE", {"english_encoder": tfidf, "corpus": None}),
        ]
        for family in multilingual:
            systems += [
                (family, UNALIGNED, family, {"corpus": None}),
                (family, STARTER, family, {}),
                # Closed forms alone; trained maps have a benchmark of their own.
                (
                    family,
                    MANY_PAIRS[family],
                    family,
                    {"parallel": pairs[family], "time_budget": 0},
                ),
            ]
        for family, row, source, parameters in systems:
            name = f"{family}: {row}"
            parameters = dict(parameters)
            fit = {}
            if "parallel" in parameters:
                fit["crosslingualaligner__parallel"] = {
                    lang: parameters["parallel"][lang] for lang in languages
                }
                del parameters["parallel"]
            aligner = CrossLingualAligner(
                languages, encoder=multilingual[source], random_state=SEED, **parameters
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what the report says, once a task
                pipe = make_pipeline(aligner, head()).fit(X, y, **fit)
            record(name, task, {lang: pipe.score(*tests[lang]) for lang in languages})
            chosen.setdefault(name, {})[task] = {
                lang: f"{m.method_}" + (f"({m.alpha_:g})" if m.alpha_ else "")
                for lang, m in pipe[0].language_map_.items()
            }
            if row == UNALIGNED:
                ceiling = pipe.score(*tests["en"])
                record(f"{family}: {CEILING}", task, dict.fromkeys(languages, ceiling))

    rows_in_order = (STRAIGHT, UNALIGNED, NO_PAIRS, STARTER, *MANY_PAIRS.values())
    rows_in_order += (f"{NO_PAIRS}, from e5", f"{STARTER}, from e5", CEILING, ENGLISH)
    order = [f"{f}: {s}" for f in ("MiniLM", "TF-IDF", *multilingual) for s in rows_in_order]
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
    write_page("accuracy", text)
