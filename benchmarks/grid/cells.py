"""Cells of the grid."""

import json
import time
import warnings
from functools import partial

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner

from .._lib.bench import Bench
from .._lib.data import LANGUAGES, SEEDS, SETS, SIZES, TASKS, draw, load_task, pool, read_rows
from .._lib.encoders import e5, encoder
from .._lib.heads import fit_head
from .methods import (
    BRIDGE,
    BRIDGE_PAIRS,
    CEILING,
    CLOSED,
    FORWARD_SIZES,
    FREE,
    NONE,
    POOL,
    STRAIGHT,
    UPPER,
    one_space,
    same,
)


class Grid:
    """Cells of one multilingual encoder, by "encoder/system/language/method/pairs/seed".

    Every cell is kept in the file `path` as soon as it is there. "hits" of a cell says of every
    test row whether it is answered rightly: intervals of differences need it.
    """

    def __init__(
        self,
        name,
        folder,
        path=None,
        *,
        seeds=SEEDS,
        sizes=SIZES,
        tasks=TASKS,
        sets=SETS,
        languages=LANGUAGES,
        max_pairs=None,
    ):
        self.name, self.folder, self.path = name, folder, path
        self.seeds, self.tasks, self.sets, self.languages = seeds, tasks, sets, languages
        most = max_pairs or POOL[name]
        self.sizes = [n for n in sizes if n <= most]
        self.encoder = encoder("use-multilingual") if name == "USE" else e5()
        self.pools = {lang: pool(folder, lang, most) for lang in languages}
        self.cells = json.loads(path.read_text()) if path and path.exists() else {}

    def bench(self, english, tasks=None, sets=None):
        return Bench(
            self.folder,
            self.encoder.encode,
            english,
            self.tasks if tasks is None else tasks,
            self.sets if sets is None else sets,
            self.languages,
        )

    def keep(self, system, lang, method, n, seed, make):
        """The cell of that name, which `make` fills unless it is there."""
        key = f"{self.name}/{system}/{lang}/{method}/{n}/{seed}"
        if key in self.cells:
            return
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what reports say of few pairs
            cell = make()
        self.cells[key] = {**cell, "seconds": round(time.perf_counter() - start, 3)}
        if self.path:
            self.path.write_text(json.dumps(self.cells))
        print(key, {k: v for k, v in self.cells[key].items() if k != "hits"}, flush=True)

    def pairs(self, lang, n, seed):
        """Both sides of a draw, as text."""
        target, english = self.pools[lang]
        at = draw(len(target), n, seed)
        return [target[i] for i in at], [english[i] for i in at]

    def of_tasks(self, benches, lang, hits):
        """A cell of `hits(task, bench)` of all tasks that a language has."""
        out = {"hits": {}}
        for task, bench in benches.items():
            if (lang, task) in bench.tests:
                right = hits(task, bench)
                out[task] = float(right.mean())
                out["hits"][task] = "".join("01"[int(hit)] for hit in right)
        return out

    # Baselines

    def ceiling(self, system, benches):
        """The heads on the English sides of the test rows."""
        for lang in self.languages:
            self.keep(
                system,
                lang,
                CEILING,
                0,
                0,
                partial(self.of_tasks, benches, lang, lambda task, b: b.hits("en", same, task)),
            )

    def straight(self, system, benches):
        """Target text to an English-only system: what it does without us."""

        def hits(lang, task, bench):
            texts, y = load_task(self.folder, task)[1][lang]
            return bench.heads[task].predict(bench.system(texts)) == y

        for lang in self.languages:
            make = partial(self.of_tasks, benches, lang, partial(hits, lang))
            self.keep(system, lang, STRAIGHT, 0, 0, make)

    def upper(self, lang):
        """Heads trained on target-language labels, of the tasks that have them."""
        out = {}
        for task in self.tasks:
            path = self.folder / "eval" / task / f"{lang}_train.tsv"
            if path.exists():
                labels, texts = zip(*(r[:2] for r in read_rows(path)), strict=True)
                test, y = load_task(self.folder, task)[1][lang]
                head = fit_head(self.encoder.encode(list(texts)), np.array(labels))
                out[task] = float(head.score(self.encoder.encode(test), y))
        return out

    # Maps learned from pairs

    def from_pairs(self, system, bench, methods):
        encoded = {}

        def cell(lang, n, seed, make):
            if lang not in encoded:
                target, english = self.pools[lang]
                encoded[lang] = self.encoder.encode(target), bench.system(english)
            X, Y = encoded[lang]
            at = draw(len(X), n, seed)
            aligner = make(seed).fit(X[at], Y[at])
            out = bench.scores(lang, aligner.transform)
            if isinstance(aligner, CrossLingualAligner):
                out["chose"] = aligner.method_
            return out

        for seed in self.seeds:
            for n in self.sizes:
                for lang in self.languages:
                    for name, make in methods(lang).items():
                        self.keep(system, lang, name, n, seed, partial(cell, lang, n, seed, make))

    def forward(self, bench, methods=one_space):
        """English rows are moved and a head is trained there: the direction of the paper."""

        def cell(lang, n, make):
            target, english = self.pools[lang]
            at = draw(len(target), n, 0)
            X, Y = self.encoder.encode(target)[at], self.encoder.encode(english)[at]
            aligner = make(0).fit(Y, X)
            out = {}
            for task in bench.heads:
                if (lang, task) in bench.tests:
                    texts, y = load_task(self.folder, task)[0]
                    # C is that of the English rows as they were: a search for every map would
                    # take hours.
                    head = LogisticRegression(C=bench.heads[task].C, max_iter=2_000)
                    head.fit(aligner.transform(self.encoder.encode(texts)), y)
                    out[task] = float(head.score(*bench.tests[lang, task]))
            return out

        for n in FORWARD_SIZES:
            for lang in self.languages if n in self.sizes else ():
                for name, make in methods(lang).items():
                    self.keep("forward", lang, name, n, 0, partial(cell, lang, n, make))

    # Bridges

    def aligner(self, lang, english, seed):
        # Closed forms: "auto" with one encoder says what trained language maps are worth.
        return CrossLingualAligner(
            lang,
            encoder=self.encoder,
            english_encoder=english,
            corpus=None,
            time_budget=0,
            random_state=seed,
        )

    def bridged(self, system, english, benches):
        """Bridges from each task's English training text, without pairs and with some."""

        def hits(lang, n, seed, task, bench):
            aligner = self.aligner(lang, english[task], seed)
            texts = load_task(self.folder, task)[0][0]
            aligner.fit(texts, parallel=self.pairs(lang, n, seed) if n else None)
            return bench.hits(lang, aligner.transform, task)

        for seed in self.seeds:
            for n in (0, *self.sizes) if seed == self.seeds[0] else self.sizes:
                for lang in self.languages:
                    make = partial(self.of_tasks, benches, lang, partial(hits, lang, n, seed))
                    self.keep(system, lang, BRIDGE_PAIRS if n else BRIDGE, n, seed, make)

    def bridged_search(self, english, bench):
        """Retrieval has no task text: the bridge is learned from the English of the pool."""

        def cell(lang, n):
            aligner = self.aligner(lang, english, 0)
            aligner.fit(self.pools[lang][1], parallel=self.pairs(lang, n, 0) if n else None)
            scores = bench.scores(lang, aligner.transform)
            return {name: v for name, v in scores.items() if name not in self.tasks}

        for n in (0, *self.sizes):
            for lang in self.languages:
                method = BRIDGE_PAIRS if n else BRIDGE
                self.keep("MiniLM search", lang, method, n, 0, partial(cell, lang, n))

    # The three English systems

    def itself(self, methods=one_space, forward=True):
        bench = self.bench(self.encoder.encode)
        for lang in self.languages:
            hits = partial(self.of_tasks, dict.fromkeys(self.tasks, bench), lang)
            make = partial(hits, lambda task, bench, lang=lang: bench.hits(lang, same, task))
            scores = partial(bench.scores, lang, same)
            self.keep("itself", lang, NONE, 0, 0, lambda a=scores, b=make: {**a(), **b()})
            self.keep("itself", lang, UPPER, 0, 0, partial(self.upper, lang))
        self.ceiling("itself", dict.fromkeys(self.tasks, bench))
        self.from_pairs("itself", bench, methods)
        if forward:
            self.forward(bench, methods)

    def minilm(self, methods=lambda lang: FREE):
        english = encoder("minilm-english")
        bench = self.bench(english.encode)
        benches = dict.fromkeys(self.tasks, bench)
        self.straight("MiniLM", benches)
        self.ceiling("MiniLM", benches)
        self.bridged("MiniLM", dict.fromkeys(self.tasks, english), benches)
        self.bridged_search(english, bench)
        self.from_pairs("MiniLM", bench, methods)

    def tfidf(self):
        """A bag of words of each task's own, which has no row for a retrieval set."""
        systems, benches = {}, {}
        for task, languages in self.tasks.items():
            texts = load_task(self.folder, task)[0][0]
            systems[task] = make_pipeline(
                TfidfVectorizer(sublinear_tf=True, min_df=2),
                TruncatedSVD(min(200, len(texts) - 1), random_state=0),
            ).fit(texts)
            english = systems[task].transform
            benches[task] = self.bench(english, {task: languages}, sets=())
        self.straight("TF-IDF", benches)
        self.ceiling("TF-IDF", benches)
        self.bridged("TF-IDF", systems, benches)
        for task, languages in self.tasks.items():
            self.from_pairs(
                f"TF-IDF {task}",
                benches[task],
                lambda lang, languages=languages: CLOSED if lang in languages else {},
            )
