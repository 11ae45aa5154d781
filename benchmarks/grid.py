"""Every method at every number of pairs: accuracy of English heads, and retrieval.

Targets are rows of a multilingual encoder. The English system is the same encoder, an English-only
one, or a bag of words. Nothing is chosen on a test row.
"""

import json
import time
import warnings
from functools import partial

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.mapping import AdapterAligner

from ._common import CACHE, data_folder, e5, encoder, machine, read_rows
from ._tasks import LANGUAGES, SEEDS, SETS, SIZES, TASKS, Bench, draw, fit_head, load_task, pool

# Pairs a language: e5 encodes a hundredth of the texts a second.
POOL = {"USE": 20_000, "e5": 5_000}
FORWARD_SIZES = (300, 3_000, 20_000)
NONE, CENTRED, AUTO = "no alignment", "centring", "auto"
BRIDGE, BRIDGE_PAIRS = "bridge", "bridge and pairs"
STRAIGHT, CEILING = "text fed straight in", "English test rows"
UPPER = "trained on target-language labels"


def trained(loss, seed, **settings):
    return AdapterAligner(loss, inverse=False, random_state=seed, **settings)


# "ridge" is shrunk to the identity where both sides have one width, and to zero otherwise.
CLOSED = {
    "ridge": lambda seed: LinearAligner("ridge", random_state=seed),
    "Procrustes": lambda seed: LinearAligner("procrustes"),
    "spectral": lambda seed: LinearAligner("spectral", random_state=seed),
}
TRAINED = {
    "contrastive": lambda seed: trained("contrastive", seed, adapter_dim=256),
    "paper: FC": lambda seed: trained("mse", seed, batch_size=128),
    "paper: AE": lambda seed: trained("autoencoder", seed, batch_size=128),
}
FREE = {**CLOSED, **TRAINED}  # learned from pairs alone


class Centring:
    """Moves the mean of the target rows to that of their translations."""

    def fit(self, X, Y):
        self.offset = Y.mean(axis=0) - X.mean(axis=0)
        return self

    def transform(self, X):
        return X + self.offset


def one_space(lang):
    """Methods inside one encoder."""
    return {
        CENTRED: lambda seed: Centring(),
        **FREE,
        AUTO: lambda seed: CrossLingualAligner(lang, random_state=seed),
    }


def same(X):
    return X


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


def run(name, seeds=SEEDS):
    """All cells of an encoder; what is there already is not computed again."""
    CACHE.mkdir(exist_ok=True)
    grid = Grid(name, data_folder(), CACHE / f"grid-{name}.json", seeds=seeds)
    grid.minilm()
    grid.tfidf()
    grid.itself()
    return grid.cells


def main():
    from .grid_report import report

    print(machine(), "\n")
    for seeds in (SEEDS[:1], SEEDS):  # one of everything, and then the spread
        cells = {}
        for name in POOL:
            cells |= run(name, seeds)
        report(cells)
