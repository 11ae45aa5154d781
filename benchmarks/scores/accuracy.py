"""Zero-shot accuracy: classifiers trained on English rows only, tested on other languages.

Nothing here is chosen on a test row: every setting is the default of the package.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT, STRAIGHT
from .._lib.data import LANGUAGES, MAX_PAIRS, SEED, TASKS, data_folder, load_pairs, load_task
from .._lib.encoders import e5, encoder
from .._lib.heads import HEAD, head, tfidf_vectors
from .._lib.tables import publish, to_markdown, to_rst, written_by

# A bag of words is not a ceiling for a sentence encoder behind it.
CEILING = f"{ENGLISH_ROWS} (ceiling)"
NO_PAIRS, STARTER = "aligned, no parallel sentence", "aligned, starter corpus"
MANY_PAIRS = {family: f"aligned, up to {n:,} pairs" for family, n in MAX_PAIRS.items()}
ROWS = (
    STRAIGHT,
    NO_ALIGNMENT,
    NO_PAIRS,
    STARTER,
    *MANY_PAIRS.values(),
    f"{NO_PAIRS}, from e5",
    f"{STARTER}, from e5",
    CEILING,
    ENGLISH_ROWS,
)
FAMILIES = ("MiniLM", "TF-IDF", *MAX_PAIRS)


class System(NamedTuple):
    """A row of the table: an aligner in front of an English head."""

    family: str  # of the English system
    row: str
    source: str  # multilingual encoder
    parameters: dict[str, Any]
    parallel: dict[str, tuple] | None = None


def main():
    folder = data_folder()
    minilm, multilingual = (
        encoder("minilm-english"),
        {"USE": encoder("use-multilingual"), "e5": e5()},
    )
    pairs = {family: load_pairs(folder, n) for family, n in MAX_PAIRS.items()}
    accuracies: dict[str, dict] = {}
    chosen: dict[str, dict] = {}

    def record(system, task, scores):
        for lang, score in scores.items():
            by_task = accuracies.setdefault(system, {}).setdefault(lang, {})
            by_task[task] = round(float(score), 4)

    for task, languages in TASKS.items():
        print(f"{task} ...", flush=True)
        train, tests = load_task(folder, task)
        tfidf = tfidf_vectors(train[0])
        for family, encode in (("MiniLM", minilm.transform), ("TF-IDF", tfidf.transform)):
            english = head().fit(encode(train[0]), train[1])
            scores = {lang: english.score(encode(X), y) for lang, (X, y) in tests.items()}
            bound = CEILING if family == "MiniLM" else ENGLISH_ROWS
            record(f"{family}: {bound}", task, dict.fromkeys(languages, scores.pop("en")))
            record(f"{family}: {STRAIGHT}", task, scores)
        for system in systems_of(minilm, tfidf, pairs):
            name = f"{system.family}: {system.row}"
            pipe = fitted(system, multilingual[system.source], languages, train)
            record(name, task, {lang: pipe.score(*tests[lang]) for lang in languages})
            chosen.setdefault(name, {})[task] = choices(pipe[0])
            if system.row == NO_ALIGNMENT:
                ceiling = dict.fromkeys(languages, pipe.score(*tests["en"]))
                record(f"{system.family}: {CEILING}", task, ceiling)
    results = {"seed": SEED, "head": HEAD, "accuracy": accuracies, "language_maps": chosen}
    publish("accuracy", results, pages, readme)


def systems_of(minilm, tfidf, pairs):
    """Every row with an aligner; `tfidf` is fitted on the text of one task."""
    no_pairs, into_minilm = {"corpus": None}, {"english_encoder": minilm}
    out = [
        System("MiniLM", NO_PAIRS, "USE", no_pairs | into_minilm),
        System("MiniLM", STARTER, "USE", into_minilm),
        System("MiniLM", f"{NO_PAIRS}, from e5", "e5", no_pairs | into_minilm),
        System("MiniLM", f"{STARTER}, from e5", "e5", into_minilm),
        System("TF-IDF", NO_PAIRS, "USE", no_pairs | {"english_encoder": tfidf}),
    ]
    for family in MAX_PAIRS:
        out += [
            System(family, NO_ALIGNMENT, family, no_pairs),
            System(family, STARTER, family, {}),
            # Closed forms alone; trained maps have a benchmark of their own.
            System(family, MANY_PAIRS[family], family, {"time_budget": 0}, pairs[family]),
        ]
    return out


def fitted(system, source, languages, train):
    """Pipeline of an aligner and a head."""
    fit = {}
    if system.parallel:
        pairs = {lang: system.parallel[lang] for lang in languages}
        fit["crosslingualaligner__parallel"] = pairs
    aligner = CrossLingualAligner(languages, encoder=source, random_state=SEED, **system.parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what the report says, once per task
        return make_pipeline(aligner, head()).fit(*train, **fit)


def choices(aligner):
    """Method and strength of every language map."""
    return {
        lang: fitted_map.method_ + (f"({fitted_map.alpha_:g})" if fitted_map.alpha_ else "")
        for lang, fitted_map in aligner.language_map_.items()
    }


# Pages


def means(accuracies):
    """Header and rows: mean over the tasks of each language."""
    names = [f"{family}: {row}" for family in FAMILIES for row in ROWS]
    rows = [
        [name, *(f"{np.mean(list(accuracies[name][lang].values())):.3f}" for lang in LANGUAGES)]
        for name in names
        if name in accuracies
    ]
    return ["English system and input", *LANGUAGES], rows


def by_task(accuracies, names):
    """Header and rows: every task."""
    rows = []
    for name in names:
        for task in TASKS:
            cells = (accuracies[name].get(lang, {}).get(task) for lang in LANGUAGES)
            rows.append([name, task, *("–" if c is None else f"{c:.3f}" for c in cells)])
    return ["System", "Task", *LANGUAGES], rows


def pages(results):
    """Text of the docs: the means, then every task."""
    header, rows = means(results["accuracy"])
    text = (
        "Mean test accuracy over the tasks that exist for each language:\n\n"
        + to_rst(header, rows)
        + "\nBy task:\n\n"
        + to_rst(*by_task(results["accuracy"], [row[0] for row in rows]))
        + "\n"
        + written_by("accuracy", results)
    )
    return {"accuracy": text}


def readme(results):
    """The means for the README."""
    table = to_markdown(*means(results["accuracy"]))
    return {"accuracy": f"{table}\n\nMachine: {results['machine']}."}
