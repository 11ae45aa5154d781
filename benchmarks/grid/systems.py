"""Measurements of the grid: three English systems behind one multilingual encoder."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from langalign_sk import CrossLingualAligner

from .._lib.baselines import ENGLISH_ROWS, NO_ALIGNMENT, STRAIGHT
from .._lib.bench import Bench
from .._lib.data import (
    LANGUAGES,
    MAX_PAIRS,
    SEEDS,
    SETS,
    SIZES,
    TASKS,
    draw,
    load_task,
    pool,
    read_rows,
)
from .._lib.encoders import e5, encoder
from .._lib.heads import fit_head, tfidf_vectors
from .cells import Cells, task_cell
from .methods import (
    BRIDGE,
    BRIDGE_PAIRS,
    CLOSED,
    FORWARD_SIZES,
    FREE,
    TARGET_LABELS,
    one_space,
    same,
)


@dataclass
class Setup:
    """One multilingual encoder, its pairs, and what is measured with them.

    Attributes
    ----------
    name : {"USE", "e5"}
        The encoder.
    folder : Path
        Evaluation corpora.
    cells : Cells
        Where results go.
    seeds, sizes : sequence of int
        Draws of the pairs; sizes over `max_pairs` are left out.
    tasks : dict
        Languages by task.
    sets, languages : sequence of str
        Retrieval sets, and target languages.
    max_pairs : int, optional
        Pairs per language; by default as many as the encoder has in every benchmark.
    """

    name: str
    folder: Path
    cells: Cells
    seeds: tuple[int, ...] = SEEDS
    sizes: tuple[int, ...] = SIZES
    tasks: dict[str, tuple[str, ...]] = field(default_factory=lambda: TASKS)
    sets: tuple[str, ...] = SETS
    languages: tuple[str, ...] = LANGUAGES
    max_pairs: int | None = None

    def __post_init__(self) -> None:
        most = self.max_pairs or MAX_PAIRS[self.name]
        self.sizes = tuple(n for n in self.sizes if n <= most)
        self.encoder = encoder("use-multilingual") if self.name == "USE" else e5()
        self.pools = {lang: pool(self.folder, lang, most) for lang in self.languages}

    def bench(self, english, tasks=None, sets=None) -> Bench:
        """Test rows and heads in front of an English system."""
        return Bench(
            self.folder,
            self.encoder.encode,
            english,
            self.tasks if tasks is None else tasks,
            self.sets if sets is None else sets,
            self.languages,
        )

    def pairs(self, lang, n, seed):
        """Both sides of a draw, as text."""
        target, english = self.pools[lang]
        at = draw(len(target), n, seed)
        return [target[i] for i in at], [english[i] for i in at]

    def keep(self, system, lang, method, n, seed, make) -> None:
        self.cells.keep((self.name, system, lang, method, n, seed), make)


# The three English systems


def itself(setup, methods=one_space, forward_too=True) -> None:
    """Measure inside the multilingual encoder, which is the English system too."""
    bench = setup.bench(setup.encoder.encode)
    benches = dict.fromkeys(setup.tasks, bench)
    for lang in setup.languages:
        setup.keep("itself", lang, NO_ALIGNMENT, 0, 0, partial(unaligned, bench, benches, lang))
        setup.keep("itself", lang, TARGET_LABELS, 0, 0, partial(target_heads, setup, lang))
    ceiling(setup, "itself", benches)
    from_pairs(setup, "itself", bench, methods)
    if forward_too:
        forward(setup, bench, methods)


def minilm(setup, methods=lambda lang: FREE) -> None:
    """Measure in front of a sentence encoder that knows English only."""
    english = encoder("minilm-english")
    bench = setup.bench(english.encode)
    benches = dict.fromkeys(setup.tasks, bench)
    straight(setup, "MiniLM", benches)
    ceiling(setup, "MiniLM", benches)
    bridged(setup, "MiniLM", dict.fromkeys(setup.tasks, english), benches)
    bridged_search(setup, english, bench)
    from_pairs(setup, "MiniLM", bench, methods)


def tfidf(setup) -> None:
    """Measure in front of a bag of words per task, which has no row for a retrieval set."""
    systems, benches = {}, {}
    for task, languages in setup.tasks.items():
        systems[task] = tfidf_vectors(load_task(setup.folder, task)[0][0])
        benches[task] = setup.bench(systems[task].transform, {task: languages}, sets=())
    straight(setup, "TF-IDF", benches)
    ceiling(setup, "TF-IDF", benches)
    bridged(setup, "TF-IDF", systems, benches)
    for task, languages in setup.tasks.items():
        from_pairs(
            setup,
            f"TF-IDF {task}",
            benches[task],
            lambda lang, languages=languages: CLOSED if lang in languages else {},
        )


# Baselines and bounds


def unaligned(bench, benches, lang) -> dict:
    """Target rows as they are."""
    cell = bench.scores(lang, same)
    return {**cell, **task_cell(benches, lang, lambda task, bench: bench.hits(lang, same, task))}


def ceiling(setup, system, benches) -> None:
    """Heads on the English sides of the test rows."""

    def hits(task, bench):
        return bench.hits("en", same, task)

    for lang in setup.languages:
        make = partial(task_cell, benches, lang, hits)
        setup.keep(system, lang, ENGLISH_ROWS, 0, 0, make)


def straight(setup, system, benches) -> None:
    """Target text in an English-only system, without this package."""

    def hits(lang, task, bench):
        texts, y = load_task(setup.folder, task)[1][lang]
        return bench.heads[task].predict(bench.system(texts)) == y

    for lang in setup.languages:
        make = partial(task_cell, benches, lang, partial(hits, lang))
        setup.keep(system, lang, STRAIGHT, 0, 0, make)


def target_heads(setup, lang) -> dict:
    """Heads trained on target-language labels, of the tasks that have them."""
    cell = {}
    for task in setup.tasks:
        path = setup.folder / "eval" / task / f"{lang}_train.tsv"
        if path.exists():
            labels, texts = zip(*(row[:2] for row in read_rows(path)), strict=True)
            test, y = load_task(setup.folder, task)[1][lang]
            head = fit_head(setup.encoder.encode(list(texts)), np.array(labels))
            cell[task] = float(head.score(setup.encoder.encode(test), y))
    return cell


# Maps learned from pairs


def from_pairs(setup, system, bench, methods) -> None:
    """Every method at every number of pairs, from target rows to rows of the English system."""
    encoded: dict[str, tuple] = {}

    def cell(lang, n, seed, make):
        if lang not in encoded:
            target, english = setup.pools[lang]
            encoded[lang] = setup.encoder.encode(target), bench.system(english)
        X, Y = encoded[lang]
        at = draw(len(X), n, seed)
        aligner = make(seed).fit(X[at], Y[at])
        out = bench.scores(lang, aligner.transform)
        if isinstance(aligner, CrossLingualAligner):
            out["chose"] = aligner.method_
        return out

    for seed in setup.seeds:
        for n in setup.sizes:
            for lang in setup.languages:
                for name, make in methods(lang).items():
                    setup.keep(system, lang, name, n, seed, partial(cell, lang, n, seed, make))


def forward(setup, bench, methods) -> None:
    """Forward direction, that of the paper: English rows are moved, and heads trained on them."""

    def cell(lang, n, make):
        target, english = setup.pools[lang]
        at = draw(len(target), n, 0)
        X, Y = setup.encoder.encode(target)[at], setup.encoder.encode(english)[at]
        aligner = make(0).fit(Y, X)
        out = {}
        for task in bench.heads:
            if (lang, task) in bench.tests:
                texts, y = load_task(setup.folder, task)[0]
                # C is that of the English rows as they were: a search for every map would take
                # hours.
                head = LogisticRegression(C=bench.heads[task].C, max_iter=2_000)
                head.fit(aligner.transform(setup.encoder.encode(texts)), y)
                out[task] = float(head.score(*bench.tests[lang, task]))
        return out

    for n in FORWARD_SIZES:
        for lang in setup.languages if n in setup.sizes else ():
            for name, make in methods(lang).items():
                setup.keep("forward", lang, name, n, 0, partial(cell, lang, n, make))


# Bridges


def bridge(setup, lang, english, seed) -> CrossLingualAligner:
    # Closed forms: "auto" with one encoder says what trained language maps are worth.
    return CrossLingualAligner(
        lang,
        encoder=setup.encoder,
        english_encoder=english,
        corpus=None,
        time_budget=0,
        random_state=seed,
    )


def bridged(setup, system, english, benches) -> None:
    """Bridges from each task's English training text, without pairs and with some."""

    def hits(lang, n, seed, task, bench):
        aligner = bridge(setup, lang, english[task], seed)
        texts = load_task(setup.folder, task)[0][0]
        aligner.fit(texts, parallel=setup.pairs(lang, n, seed) if n else None)
        return bench.hits(lang, aligner.transform, task)

    for seed in setup.seeds:
        for n in (0, *setup.sizes) if seed == setup.seeds[0] else setup.sizes:
            for lang in setup.languages:
                make = partial(task_cell, benches, lang, partial(hits, lang, n, seed))
                setup.keep(system, lang, BRIDGE_PAIRS if n else BRIDGE, n, seed, make)


def bridged_search(setup, english, bench) -> None:
    """Bridges for retrieval, which has no task text: they are learned from the English of the pool."""

    def cell(lang, n):
        aligner = bridge(setup, lang, english, 0)
        aligner.fit(setup.pools[lang][1], parallel=setup.pairs(lang, n, 0) if n else None)
        scores = bench.scores(lang, aligner.transform)
        return {name: v for name, v in scores.items() if name not in setup.tasks}

    for n in (0, *setup.sizes):
        for lang in setup.languages:
            method = BRIDGE_PAIRS if n else BRIDGE
            setup.keep("MiniLM search", lang, method, n, 0, partial(cell, lang, n))
