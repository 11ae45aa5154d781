"""Pairs, test rows and English heads that the table of methods and its peers share."""

from langalign_sk.metrics.pairs import retrieval_scores

from .data import LANGUAGES, SETS, TASKS, capped, load_task, read_rows
from .heads import fit_head


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
    cap : int, optional
        English training rows of a task at most; None takes all.
    """

    def __init__(
        self, folder, source, system, tasks=TASKS, sets=SETS, languages=LANGUAGES, cap=None
    ):
        self.system = system
        self.train, self.heads, self.tests, self.sets = {}, {}, {}, {}
        for task, of_task in tasks.items():
            (texts, labels), tests = load_task(folder, task)
            texts, labels = capped(texts, labels, cap)
            self.train[task] = system(texts), labels
            self.heads[task] = fit_head(*self.train[task])
            for lang in set(of_task).intersection(languages):
                texts, labels = tests[lang]
                self.tests[lang, task] = source(texts), labels
            texts, labels = tests["en"]
            self.tests["en", task] = system(texts), labels
        for lang in languages:
            for name in sets:
                rows = read_rows(folder / "eval" / name / f"{lang}.tsv")
                english, target = zip(*(row[:2] for row in rows), strict=True)
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
