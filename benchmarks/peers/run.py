"""LinearAligner and AdapterAligner beside other packages: same pairs and test rows, in one run.

Every fit has a process of its own. Settings are defaults, or chosen on held-out pairs of the
training draw, and test rows are for reporting. What does not run here is listed with the reason.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from langalign_sk.metrics import retrieval_scores

from .._lib.bench import Bench
from .._lib.data import LANGUAGES, MAX_PAIRS, SETS, data_folder, draw, load_task, pool, read_rows
from .._lib.encoders import encoder
from .._lib.machine import blas_threads
from .._lib.paths import CACHE, ROOT
from .._lib.tables import publish, to_rst
from .models import DISTILLATION, INTO_MINILM, NO_IMPORT, ONE_SPACE, PEERS, UNPAIRED

PAIRS, SMOKE_PAIRS = 10_000, 1_000
TIME_LIMIT = 300  # seconds per process
DISTILLED, BUDGET = "ko", 600  # the language of the distillation, and its seconds of training
DONE = CACHE / "peers.json"  # delete it to measure anew
OUT_OF_TIME = "no result after"
MARGIN = 0.002  # scores this near count as equal: a few test rows
TITLES = {
    ONE_SPACE: "Target rows of USE-multilingual to English rows of the same encoder",
    INTO_MINILM: "Target rows of USE-multilingual to English rows of MiniLM",
    UNPAIRED: "One encoder, and rows that do not know their counterparts",
}
INTRODUCTION = (
    f"{PAIRS:,} pairs a language, means over {', '.join(LANGUAGES)}. A fit includes what it chooses, "
    "and with LinearAligner the map back. Memory is what the process grows by while it fits. A fit "
    f"may take {TIME_LIMIT} s. Maps into a third space are scored by both sides there, and by "
    "accuracy where they predict rows of the English side.\n\n"
)
FASTER = (
    f"Peers that fit faster than ours and score no lower, within {MARGIN:g}, in accuracy (where ours "
    "has one) and both recalls:\n\n"
)
ABILITIES = ("other width", "inverse", "Pipeline step", "text in", "save without pickle")
FIT_FIRST = "fitted first, then frozen: y is the counterparts"
PAIR_OUT = "fitted first, then frozen: fit_transform returns two arrays"
ARRAYS = "its arrays, by hand"
OWN_SIDE = "from the third space to its own side"
ABLE = {
    "LinearAligner": ("yes", "a fitted map back", FIT_FIRST, "CrossLingualAligner", "save"),
    "AdapterAligner": ("yes", "a trained map back", FIT_FIRST, "CrossLingualAligner", "save"),
    "scipy orthogonal_procrustes": ("no", "transpose by hand", "a function", "no", "an array"),
    "scikit-learn LinearRegression, Ridge": (
        "yes",
        "no",
        "last step only: predict, no transform",
        "no",
        "skops, ONNX",
    ),
    "scikit-learn PLSSVD": ("into a third space only", "no", PAIR_OUT, "no", "skops"),
    "scikit-learn PLSCanonical, CCA": ("yes", OWN_SIDE, PAIR_OUT, "no", "skops"),
    "cca-zoo RidgeCCA": ("yes", "predict from the other side", "no: lists of views", "no", ARRAYS),
    "latentis Translator": (
        "zero padding",
        "no: NotImplementedError",
        "no: torch tensors",
        "no",
        "state of a torch module",
    ),
    "gensim TranslationMatrix": (
        "yes",
        "no",
        "no: vectors by keys",
        "words of its own vectors",
        "no: its save pickles",
    ),
    "babelvec aligners": (
        "no",
        "transpose by hand",
        "no: models of babelvec",
        "through its FastText models",
        "an array",
    ),
    "POT LinearTransport": ("no", "yes", "fitted first: fit takes Xs=, Xt=", "no", ARRAYS),
    "sentence-transformers MSELoss": (
        "projection_dim, saved apart",
        "no",
        "no",
        "text only",
        "safetensors",
    ),
}


def write_texts(folder, lang, bench, target, data):
    """Write the texts of the test rows, for models that take text."""
    texts = {"X": target}
    for task in bench.heads:
        if (lang, task) in bench.tests:
            texts[f"task {task}"] = load_task(data, task)[1][lang][0]
    for name in SETS:
        texts[f"X {name}"] = [row[1] for row in read_rows(data / "eval" / name / f"{lang}.tsv")]
    (folder / "texts.json").write_text(json.dumps(texts))


def write_arrays(folder, lang, bench, X, Y):
    arrays = {f"task {task}": rows for (of, task), (rows, _) in bench.tests.items() if of == lang}
    for (of, name), (target, english) in bench.sets.items():
        if of == lang:
            arrays |= {f"X {name}": target, f"Y {name}": english}
    np.savez(folder / "arrays.npz", X=X, Y=Y, **arrays)


def measure(folder, name, bench, lang, limit=TIME_LIMIT, options=()):
    """Fit in a process of its own, and score the test rows that it moved."""
    command = [sys.executable, "-m", "benchmarks.peers.models", str(folder), name, *options]
    for result in ("measured.json", "moved.npz"):
        (folder / result).unlink(missing_ok=True)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit)  # nosec B603
    except subprocess.TimeoutExpired:
        return {"absent": f"{OUT_OF_TIME} {limit} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"absent": f"ended with code {done.returncode}: {last[:200]}"}
    entry = json.loads((folder / "measured.json").read_text())
    if "absent" in entry:
        return entry
    with np.load(folder / "moved.npz") as file:
        moved = dict(file)
    tasks = {
        task: float(bench.hits(lang, lambda _, rows=moved[f"task {task}"]: rows, task).mean())
        for task in bench.heads
        if f"task {task}" in moved
    }
    recall = {
        name: float(retrieval_scores(moved[f"X {name}"], moved[f"Y {name}"]).recall_at_1)
        for of, name in bench.sets
        if of == lang
    }
    if tasks:
        entry |= {"accuracy": float(np.mean(list(tasks.values()))), "tasks": tasks}
    return entry | {"recall": recall}


def todo(done, block, lang, name):
    """Whether to measure; what ran out of time for one language is not tried for the next."""
    key = f"{block}/{lang}/{name}"
    if key in done:
        return done[key].get("absent", "").startswith(NO_IMPORT)  # it may be there now
    for other in LANGUAGES:
        absent = done.get(f"{block}/{other}/{name}", {}).get("absent", "")
        if absent.startswith(OUT_OF_TIME):
            done[key] = {"absent": f"{absent} for {other}, not tried"}
            return False
    return True


def run(block, lang, bench, pairs, names, done, keep=True):
    """Measure what is not done yet; every result is kept as soon as it is there."""
    names = [name for name in names if todo(done, block, lang, name)]
    if not names:
        return
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        write_arrays(folder, lang, bench, *pairs)
        for name in names:
            entry = done[f"{block}/{lang}/{name}"] = measure(folder, name, bench, lang)
            print(f"{block}, {lang}, {name}: {entry}", flush=True)
            if keep:
                DONE.write_text(json.dumps(done))


def distil(data, bench, texts, use, minilm, done):
    """A student of the text itself, which has its own budget and one language."""
    if not todo(done, INTO_MINILM, DISTILLED, DISTILLATION):
        return
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        target, english = texts
        write_arrays(folder, DISTILLED, bench, use.encode(target), minilm.encode(english))
        write_texts(folder, DISTILLED, bench, target, data)
        entry = measure(folder, DISTILLATION, bench, DISTILLED, 3 * BUDGET, [str(BUDGET)])
    done[f"{INTO_MINILM}/{DISTILLED}/{DISTILLATION}"] = entry
    print(f"{INTO_MINILM}, {DISTILLED}, {DISTILLATION}: {entry}", flush=True)
    DONE.write_text(json.dumps(done))


def main():
    data = data_folder()
    use, minilm = encoder("use-multilingual"), encoder("minilm-english")
    texts = {lang: texts_of(data, lang, PAIRS) for lang in LANGUAGES}
    CACHE.mkdir(exist_ok=True)
    done = json.loads(DONE.read_text()) if DONE.exists() else {}
    benches = {english: Bench(data, use.encode, english.encode) for english in (use, minilm)}
    spaces = {ONE_SPACE: use, UNPAIRED: use, INTO_MINILM: minilm}
    for slow in (False, True):
        for lang in LANGUAGES:
            for block, english in spaces.items():
                names = [name for name in BLOCKS[block] if PEERS[name].slow == slow]
                pairs = use.encode(texts[lang][0]), english.encode(texts[lang][1])
                run(block, lang, benches[english], pairs, names, done)
        report(done)
    distil(data, benches[minilm], texts[DISTILLED], use, minilm, done)
    report(done)


def small():
    """Results of the quick peers on a few Korean pairs, for the smoke run."""
    data, use, lang = data_folder(), encoder("use-multilingual"), LANGUAGES[0]
    quick = [name for name, peer in PEERS.items() if peer.quick]
    bench = Bench(data, use.encode, use.encode, {"sib200": (lang,)}, SETS[:1])
    pairs = tuple(use.encode(side) for side in texts_of(data, lang, SMOKE_PAIRS))
    done: dict[str, dict] = {}
    run(ONE_SPACE, lang, bench, pairs, quick, done, keep=False)
    return done


def texts_of(data, lang, n):
    """Both sides of n pairs, as text."""
    target, english = pool(data, lang, MAX_PAIRS["USE"])
    places = draw(len(target), n, seed=0)
    return [target[i] for i in places], [english[i] for i in places]


COSTS = {"fit_s": "{:.2f}", "rows_per_s": "{:,.0f}", "peak_mb": "{:,.0f}"}
FORMATS = {"accuracy": "{:.3f}", **dict.fromkeys(SETS, "{:.3f}"), **COSTS}
HEADER = ["Map", "acc.", "Tatoeba R@1", "NTREX R@1", "fit, s", "rows/s", "peak, MB"]


def summary(done, block, name, languages):
    """Means over the languages; None where one of them is absent."""
    entries = [done.get(f"{block}/{lang}/{name}", {"absent": ""}) for lang in languages]
    if any("absent" in entry for entry in entries):
        return None
    flat = [entry | entry["recall"] for entry in entries]
    return {
        key: float(np.mean([entry[key] for entry in flat]))
        for key in FORMATS
        if all(key in entry for entry in flat)
    }


def ranked(done, block, names, languages=LANGUAGES):
    """Summaries by accuracy; maps into a third space, which have none, come last, by recall."""
    found = {name: summary(done, block, name, languages) for name in names}
    found = {name: means for name, means in found.items() if means}

    def rank(name):
        return found[name].get("accuracy", -1), sum(found[name][test] for test in SETS)

    return {name: found[name] for name in sorted(found, key=rank, reverse=True)}


def cells(found):
    return [
        [name, *(text.format(means[key]) if key in means else "–" for key, text in FORMATS.items())]
        for name, means in found.items()
    ]


def absences(done, block, names):
    """What has no row in a block's table, and why."""
    lines = []
    for name in names:
        reasons: dict[str, list[str]] = {}
        for lang in LANGUAGES:
            entry = done.get(f"{block}/{lang}/{name}", {})
            if "absent" in entry:
                reasons.setdefault(entry["absent"], []).append(lang)
        lines += [f"- {name}: {why} ({', '.join(langs)})" for why, langs in reasons.items()]
    return lines


def faster(found, ours):
    """Peers that fit faster than one of our maps and score at least as well everywhere."""
    if ours not in found:
        return []
    mine = found[ours]
    scores = [key for key in ("accuracy", *SETS) if key in mine]
    return [
        name
        for name, means in found.items()
        if not is_ours(name)
        and means.get("fit_s", np.inf) < mine["fit_s"]
        and all(means.get(key, -1) >= mine[key] - MARGIN for key in scores)
    ]


def is_ours(name):
    return name.startswith(("LinearAligner", "AdapterAligner"))


BLOCKS = {block: [name for name, peer in PEERS.items() if block in peer.blocks] for block in TITLES}


def report(done):
    """Write what there is."""
    results = {
        "pairs": PAIRS,
        "threads": blas_threads(),
        "time_limit_s": TIME_LIMIT,
        "distillation_budget_s": BUDGET,
        "scores": done,
        "faster_and_as_good": {block: dominated(done, block) for block in BLOCKS},
        "abilities": {k: dict(zip(ABILITIES, v, strict=True)) for k, v in ABLE.items()},
    }
    publish("peers", results, pages)


def dominated(done, block):
    """Peers that beat each of our maps, see `faster`."""
    found = ranked(done, block, BLOCKS[block])
    return {name: faster(found, name) for name in found if is_ours(name)}


def pages(results):
    """Text of the docs."""
    text, done = INTRODUCTION, results["scores"]
    for block, names in BLOCKS.items():
        text += section(TITLES[block], ranked(done, block, names), absences(done, block, names))
        beaten = results["faster_and_as_good"][block]
        lines = [f"- {name}: {', '.join(others) or 'none'}" for name, others in beaten.items()]
        if lines:
            text += FASTER + "\n".join(lines) + "\n\n"
    names = [DISTILLATION, *BLOCKS[INTO_MINILM]]
    found = ranked(done, INTO_MINILM, names, (DISTILLED,))
    text += section(
        f"{TITLES[INTO_MINILM]}, {DISTILLED} alone, beside {BUDGET} s of distillation "
        "(half of them to choose its learning rate)",
        found,
        absences(done, INTO_MINILM, [DISTILLATION]),
    )
    text += "What each has, or what there is in its place:\n\n" + to_rst(
        ["Package", *ABILITIES], [[name, *cells] for name, cells in ABLE.items()]
    )
    text += (
        f"\nWritten by ``python -m benchmarks peers``, {results['threads']} threads. "
        f"Machine: {results['machine']}.\n"
    )
    return {"peers": text}


def section(title, found, absent):
    """A titled table."""
    without = "\nWithout a row:\n\n" + "\n".join(absent) + "\n" if absent else ""
    return f"{title}:\n\n{to_rst(HEADER, cells(found))}{without}\n"
