"""Pairs, test rows and English heads that the table of methods and its peers share."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from langalign_sk.metrics.pairs import retrieval_scores

from ._common import read_rows
from .accuracy import TASKS, load_pairs, load_task

LANGUAGES = ("ko", "ja", "zh")
SETS = ("tatoeba", "ntrex")
SIZES = (100, 300, 1_000, 3_000, 10_000, 20_000)
SEEDS = (0, 1, 2)
CS = (0.1, 1.0, 10.0, 100.0)
FOLDS = 5


def pool(folder, lang, limit):
    """The distinct ones of up to `limit` random pairs, as (target, english) lists."""
    target, english = load_pairs(folder, limit, [lang])[lang]
    pairs = dict.fromkeys(zip(target, english, strict=True))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def draw(n_pool, n, seed):
    """Places of n pairs of a pool; those of a seed lie within its larger draws."""
    return np.random.default_rng(seed).permutation(n_pool)[:n]


def fit_head(X, y):
    """A classifier whose C is chosen by cross-validation on the rows it is fitted on."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(max_iter=2_000), {"C": CS}, cv=folds)
    return search.fit(X, y).best_estimator_


class Bench:
    """Encoded test rows of a multilingual encoder, and heads on the rows of an English system.

    Parameters
    ----------
    folder : Path
        Of the data.
    source, system : callable
        The two encoders: ``source(texts)`` returns rows.
    tasks : dict
        Languages by task.
    sets : sequence of str
        Retrieval sets.
    languages : sequence of str
        Of the rows to be encoded.
    """

    def __init__(self, folder, source, system, tasks=TASKS, sets=SETS, languages=LANGUAGES):
        self.system = system
        self.heads, self.tests, self.sets = {}, {}, {}
        for task, of_task in tasks.items():
            (X, y), tests = load_task(folder, task)
            self.heads[task] = fit_head(system(X), y)
            for lang in set(of_task).intersection(languages):
                texts, labels = tests[lang]
                self.tests[lang, task] = source(texts), labels
            texts, labels = tests["en"]
            self.tests["en", task] = system(texts), labels
        for lang in languages:
            for name in sets:
                rows = read_rows(folder / "eval" / name / f"{lang}.tsv")
                english, target = zip(*(r[:2] for r in rows), strict=True)
                self.sets[lang, name] = source(list(target)), system(list(english))

    def hits(self, lang, move, task):
        """Which test rows of a task are answered rightly."""
        X, y = self.tests[lang, task]
        return self.heads[task].predict(move(X)) == y

    def scores(self, lang, move, counterpart=lambda rows: rows):
        """Accuracies by task, and recall at 1 by set: by cosine and, with "_csls", by CSLS."""
        out = {
            task: float(self.hits(lang, move, task).mean())
            for task in self.heads
            if (lang, task) in self.tests
        }
        for (language, name), (X, Y) in self.sets.items():
            if language == lang:
                found = retrieval_scores(move(X), counterpart(Y))
                out[name] = float(found.recall_at_1)
                out[f"{name}_csls"] = float(found.csls_recall_at_1)
        return out
