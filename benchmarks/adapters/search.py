"""Trained maps beside closed forms: retrieval on Tatoeba, and accuracy of English heads.

The run chooses by held-out pairs of the training sources, and test rows are for reporting. The
defaults that it measures were developed with Tatoeba scores in sight.
"""

import json
import time
import warnings

import numpy as np

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.metrics._core import duplicate_groups, row_recall
from langalign_sk.metrics.pairs import retrieval_scores

from .._lib.baselines import NO_ALIGNMENT
from .._lib.data import LANGUAGES, MAX_PAIRS, SEEDS, TASKS, data_folder, load_task, read_rows
from .._lib.encoders import encoder
from .._lib.heads import head
from .._lib.maps import published_ae, published_fc, trained
from .._lib.paths import CACHE
from .._lib.tables import to_markdown, to_rst

N_PAIRS = MAX_PAIRS["USE"]
DONE = CACHE / "adapters-search.json"  # delete it to measure anew
# The source whose sentences are like those of the test set. At most this many of its rows, and a
# tenth of them, are held out to choose the draw of the pairs by.
LIKE_THE_TEST, MAX_HELD_OUT = "anki_tatoeba", 500


# Name, estimator for a seed. "Plain InfoNCE" is the loss alone: no pull, no held-out rows.
ONE_SPACE = {
    "Procrustes": lambda seed, lang: LinearAligner("procrustes"),
    "closed form, chosen": lambda seed, lang: LinearAligner(random_state=seed),
    "plain linear InfoNCE": lambda seed, lang: trained(
        start="procrustes", mse_weight=0.0, weight_decay=0.0, early_stopping=False, seed=seed
    ),
    "contrastive": lambda seed, lang: trained(seed=seed),
    "contrastive, adapter_dim=256": lambda seed, lang: trained(adapter_dim=256, seed=seed),
    "contrastive for search (mse_weight=0)": lambda seed, lang: trained(mse_weight=0.0, seed=seed),
    "contrastive for search, adapter_dim=256": lambda seed, lang: trained(
        mse_weight=0.0, adapter_dim=256, seed=seed
    ),
    "contrastive, shared space": lambda seed, lang: trained(shared=True, seed=seed),
    "contrastive, shared space, adapter_dim=256": lambda seed, lang: trained(
        shared=True, adapter_dim=256, seed=seed
    ),
    "auto": lambda seed, lang: CrossLingualAligner(lang, random_state=seed),
}
PAPER = {
    "FC, published start": lambda seed, lang: published_fc(seed),
    "AE, published start": lambda seed, lang: published_ae(seed),
}
TWO_SPACES = {
    name: ONE_SPACE[name]
    for name in (
        "Procrustes",
        "closed form, chosen",
        "plain linear InfoNCE",
        "contrastive",
        "contrastive for search (mse_weight=0)",
        "contrastive for search, adapter_dim=256",
        "contrastive, shared space",
    )
}


class Language:
    """Pairs, test rows and heads of one language, encoded."""

    def __init__(self, folder, lang, use, english):
        self.lang, self.use, self.english = lang, use, english
        paths = sorted((folder / "parallel" / lang).glob("*.tsv"))
        self.sources = [[tuple(row[:2]) for row in read_rows(path)] for path in paths]
        stems = [path.stem for path in paths]
        like = self.sources[stems.index(LIKE_THE_TEST)]
        n_held = min(MAX_HELD_OUT, len(like) // 10)
        self.held = [like[i] for i in np.random.default_rng(0).permutation(len(like))[:n_held]]
        hidden = {text for pair in self.held for text in pair}
        self.free = [
            [pair for pair in rows if not hidden.intersection(pair)] for rows in self.sources
        ]
        self.test = self._encoded(
            [row[:2] for row in read_rows(folder / "eval/tatoeba" / f"{lang}.tsv")]
        )
        self.tasks = {}
        for task, languages in TASKS.items():
            if lang in languages:
                (X, y), tests = load_task(folder, task)
                classifier = head().fit(english.encode(X), y)
                self.tasks[task] = classifier, use.encode(tests[lang][0]), tests[lang][1]

    def _encoded(self, pairs):
        english, target = zip(*pairs, strict=True)
        return self.use.encode(list(target)), self.english.encode(list(english))

    def draw(self, kind, seed, sources):
        """Up to N_PAIRS pairs: of all pairs alike, or of all sources alike."""
        rng = np.random.default_rng(seed)
        shuffled = [[rows[i] for i in rng.permutation(len(rows))] for rows in sources]
        if kind == "equal shares":
            sizes = np.array([len(rows) for rows in shuffled])
            cap = next(
                size
                for size in range(sizes.max(), 0, -1)
                if np.minimum(sizes, size).sum() <= N_PAIRS
            )
            pairs = [pair for rows in shuffled for pair in rows[:cap]]
        else:
            pairs = [pair for rows in shuffled for pair in rows]
        return self._encoded([pairs[i] for i in rng.permutation(len(pairs))[:N_PAIRS]])

    def chosen_draw(self):
        """The draw whose closed form finds more of the held-out translations.

        "uniform", the simpler one, unless the other is better by more than a standard error. The
        held-out rows are then among the pairs to draw from.
        """
        X, Y = self._encoded(self.held)
        recalls = {}
        for kind in ("uniform", "equal shares"):
            aligner = LinearAligner(random_state=0).fit(*self.draw(kind, 0, self.free))
            recalls[kind] = row_recall(aligner.transform(X), Y, duplicate_groups(X, Y))
        gain = recalls["equal shares"] - recalls["uniform"]
        better = gain.mean() > gain.std() / np.sqrt(len(gain))
        return "equal shares" if better else "uniform", {
            kind: float(recall.mean()) for kind, recall in recalls.items()
        }

    def scores(self, aligner):
        X, Y = self.test
        if isinstance(aligner, CrossLingualAligner):
            retrieval = retrieval_scores(aligner.transform(X), Y)
        elif aligner is None:
            retrieval = retrieval_scores(X, Y)
        else:
            retrieval = retrieval_scores(aligner.transform(X), aligner.transform_counterparts(Y))
        out = {"recall": retrieval.recall_at_1, "csls": retrieval.csls_recall_at_1}
        if not getattr(aligner, "shared", False):
            move = (lambda rows: rows) if aligner is None else aligner.transform
            accuracies = [
                classifier.score(move(rows), y) for classifier, rows, y in self.tasks.values()
            ]
            out["accuracy"] = float(np.mean(accuracies))
        return out


def run(part, language, systems, seeds, done):
    """Fit and score what is not done yet; every score is kept as soon as it is there."""
    kind, why = language.chosen_draw()
    done[f"{part}/{language.lang}/draw"] = {"draw": kind, "held_out_recall": why}
    if part == "one space":
        done[f"{part}/{language.lang}/{NO_ALIGNMENT}/0"] = language.scores(None)
    for seed in seeds:
        todo = [name for name in systems if f"{part}/{language.lang}/{name}/{seed}" not in done]
        X, Y = language.draw(kind, seed, language.sources) if todo else (None, None)
        for name in todo:
            start = time.perf_counter()
            aligner = systems[name](seed, language.lang)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                aligner.fit(X, Y)
            entry = {"seconds": time.perf_counter() - start, **language.scores(aligner)}
            if hasattr(aligner, "held_out_recall_"):
                entry["held_out_recall"] = aligner.held_out_recall_
            if name == "auto":
                entry["chose"] = aligner.method_
                entry["adapter_dim"] = getattr(aligner.language_map_, "adapter_dim", None)
            done[f"{part}/{language.lang}/{name}/{seed}"] = entry
            print(f"{part}, {language.lang}, seed {seed}, {name}: {entry}", flush=True)
            DONE.write_text(json.dumps(done))


def cell(entries, key):
    values = [entry[key] for entry in entries if key in entry]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{np.mean(values):.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def table(done, part, systems):
    header = ["Map", *(f"{lang} {what}" for what in ("R@1", "CSLS", "acc.") for lang in LANGUAGES)]

    def entries(lang, name):
        keys = (f"{part}/{lang}/{name}/{seed}" for seed in SEEDS)
        return [done[key] for key in keys if key in done]

    rows = [
        [
            name,
            *(
                cell(entries(lang, name), key)
                for key in ("recall", "csls", "accuracy")
                for lang in LANGUAGES
            ),
        ]
        for name in systems
        if any(entries(lang, name) for lang in LANGUAGES)
    ]
    return header, rows


def measure(publish):
    """Fit and score all systems; ``publish(scores)`` is called after every stage."""
    folder = data_folder()
    use, minilm = encoder("use-multilingual"), encoder("minilm-english")
    CACHE.mkdir(exist_ok=True)
    done = json.loads(DONE.read_text()) if DONE.exists() else {}
    work = (
        ("one space", use, ONE_SPACE),
        ("into MiniLM", minilm, TWO_SPACES),
        ("one space", use, PAPER),
    )
    for seeds in (SEEDS[:1], SEEDS):  # one of everything, and then the spread
        for part, english, systems in work:
            for lang in LANGUAGES:
                run(part, Language(folder, lang, use, english), systems, seeds, done)
            publish(done)


def text(done):
    """Both tables, and how their pairs are drawn."""
    one_space, two_spaces = tables(done)
    draws = [
        f"{part}, {lang}: {done[f'{part}/{lang}/draw']['draw']}"
        for part in ("one space", "into MiniLM")
        for lang in LANGUAGES
        if f"{part}/{lang}/draw" in done
    ]
    return (
        "Target rows of USE-multilingual to English rows of the same encoder:\n\n"
        + to_rst(*one_space)
        + "\nTarget rows of USE-multilingual to English rows of MiniLM, from pairs:\n\n"
        + to_rst(*two_spaces)
        + f"\nDraw of the pairs, chosen by recall on held-out rows of the source {LIKE_THE_TEST}: "
        + f"{'; '.join(draws)}.\n\n"
    )


def tables(done):
    """Tables of both parts."""
    return (
        table(done, "one space", [NO_ALIGNMENT, *PAPER, *ONE_SPACE]),
        table(done, "into MiniLM", TWO_SPACES),
    )


def readme(results):
    """Recall by cosine and accuracy within one space, without deviations."""
    header, rows = tables(results["scores"])[0]
    short = [
        [row[0], *(cell.split(" ±")[0] for cell in row[1:4] + row[7:])] for row in [header, *rows]
    ]
    table = to_markdown(short[0], short[1:])
    return {"adapters": f"{table}\n\nMachine: {results['machine']}."}
