"""Search, mining and tuning: what hubness correction gains, what an index costs."""

import statistics
import tempfile
import warnings
from functools import partial
from itertools import product

import numpy as np
from sklearn.model_selection import GridSearchCV

from langalign_sk import CrossLingualAligner, CrossLingualRetriever, mine_pairs
from langalign_sk.metrics import retrieval_recall_score

from .._lib.baselines import NO_ALIGNMENT
from .._lib.data import LANGUAGES, SETS, data_folder, read_rows
from .._lib.encoders import encoder
from .._lib.machine import machine, resident_bytes
from .._lib.paths import CACHE
from .._lib.tables import publish, read_results, to_markdown, to_rst, written_by
from .._lib.timing import in_own_process, seconds

N_PAIRS, N_BANK = 20_000, 5_000
BANKS = ("training sentences", "the queries")
SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")
N_DOCUMENTS, N_QUERIES, WIDTH, N_SENTENCES, REPEATS = 1_000_000, 1_000, 384, 100_000, 7
HNSW = {"M": 16, "ef_construction": 200}
SEARCH_WIDTHS = (100, 60)  # ef of hnswlib, which may change without a new graph
KEPT, MINING_SEEDS = 0.7, 5
SIZES, FOLDS, N_GRID = [0, 64, 256, 1024], 5, 5_000


def sources(language):
    """All pairs of all training sources, [target, English], in a drawn order."""
    paths = sorted((data_folder() / "parallel" / language).glob("*.tsv"))
    rows = [(row[1], row[0]) for path in paths for row in read_rows(path)]
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]


def evaluation(name, language):
    english, target = zip(
        *read_rows(data_folder() / "eval" / name / f"{language}.tsv"), strict=True
    )
    return list(target), list(english)


def recalls(use, language):
    """Recall at 1 of every set, map, direction, scoring and bank."""
    pairs = sources(language)[:N_PAIRS]
    maps = {
        NO_ALIGNMENT: CrossLingualAligner(language, encoder=use, method="identity"),
        "auto": CrossLingualAligner(language, encoder=use, time_budget=0, random_state=0),
    }
    rows = []
    for system, aligner in maps.items():
        aligner.fit(pairs)
        # No sentence of a bank is in an evaluation set.
        banks = [aligner.transform([pair[side] for pair in pairs[:N_BANK]]) for side in (0, 1)]
        for name in SETS:
            texts = evaluation(name, language)
            sides = [aligner.transform(side) for side in texts]
            for scoring, bank in product(SCORINGS, BANKS):
                if scoring == "cosine" and bank == BANKS[1]:
                    continue  # the same as with the other bank, which cosines do not ask
                queries = sides if bank == BANKS[1] else banks
                recall = mean_recall(texts, sides, queries, scoring)
                rows.append([language, name, system, scoring, bank, recall])
            check = retrieval_recall_score(*sides)
            print(f"{language} {name} {system}: recall by cosine {check:.3f}", flush=True)
    return rows


def mean_recall(texts, sides, banks, scoring):
    """Recall at 1 of both directions."""
    values = []
    for source, goal in ((0, 1), (1, 0)):
        retriever = CrossLingualRetriever(scoring=scoring)
        retriever.fit(sides[goal], query_bank=banks[source])
        found = retriever.kneighbors(sides[source], 1, return_distance=False)[:, 0]
        right = [texts[goal][i] == texts[goal][query] for query, i in enumerate(found)]
        values.append(np.mean(right))
    return float(np.mean(values))


def documents():
    """A file of a million unit rows of width 384, like those of sentences, and 1,000 queries.

    Sentences of the training sources, by the default encoder, on their 384 principal axes, and
    weighted means of two of them: as many sentences would take hours to encode.
    """
    path = CACHE / f"documents-{N_DOCUMENTS}x{WIDTH}.npy"
    if not path.is_file():
        texts = [text for language in LANGUAGES for pair in sources(language) for text in pair]
        texts = list(dict.fromkeys(texts))
        rng = np.random.default_rng(0)
        texts = [texts[i] for i in rng.permutation(len(texts))[: N_SENTENCES + N_QUERIES + N_BANK]]
        Z = encoder("use-multilingual").encode(texts)
        Z = Z @ np.linalg.eigh(Z.T @ Z)[1][:, -WIDTH:]
        Z = (Z / np.linalg.norm(Z, axis=1, keepdims=True)).astype(np.float32)
        out = np.lib.format.open_memmap(
            path.with_suffix(".part"), "w+", np.float32, (N_DOCUMENTS, WIDTH)
        )
        np.save(CACHE / "queries.npy", Z[N_SENTENCES:])
        Z = Z[:N_SENTENCES]
        for start in range(0, N_DOCUMENTS, N_SENTENCES):
            share = rng.uniform(0.5, 1, size=(len(Z), 1)).astype(np.float32) if start else 1
            rows = share * Z + (1 - share) * Z[rng.permutation(len(Z))]
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            out[start : start + len(Z)] = rows
        out.flush()
        path.with_suffix(".part").replace(path)
    queries = np.load(CACHE / "queries.npy")
    return path, queries[:N_QUERIES], queries[N_QUERIES:]


def peak():
    """Bytes that indexing and searching add to a process at most."""
    path, queries, _ = documents()
    before = resident_bytes("VmRSS")
    retriever = CrossLingualRetriever().fit(np.load(path))
    retriever.kneighbors(queries)
    return resident_bytes("VmHWM") - before


def in_turns(searches):
    """Seconds of every search in every turn, and what it found."""
    times: dict[str, list[float]] = {name: [] for name in searches}
    found = {}
    for _ in range(REPEATS):
        for name, search in searches.items():
            taken, (_, found[name]) = seconds(search)
            times[name].append(taken)
            print(f"{name}: {taken:.2f} s", flush=True)
    return times, found


def indexes():
    """Times of exact search, of FAISS, with CSLS and with hnswlib, in turns."""
    import faiss

    path, queries, bank = documents()
    rows = np.load(path)
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(rows)
    exact = CrossLingualRetriever().fit(rows)
    prepared, csls = seconds(
        lambda: CrossLingualRetriever(scoring="csls").fit(rows, query_bank=bank)
    )
    built, hnsw = seconds(
        lambda: CrossLingualRetriever(backend="hnswlib", backend_params=HNSW).fit(rows)
    )
    searches = {
        "FAISS IndexFlatIP": partial(flat.search, queries, 10),
        "exact": partial(exact.kneighbors, queries),
        "exact, CSLS": partial(csls.kneighbors, queries),
    }
    with tempfile.TemporaryDirectory() as folder:
        hnsw.save_index(folder)
        for ef in SEARCH_WIDTHS:
            retriever = CrossLingualRetriever(backend="hnswlib", backend_params={**HNSW, "ef": ef})
            searches[f"hnswlib, ef={ef}"] = partial(
                retriever.open_index(folder).kneighbors, queries
            )
        times, found = in_turns(searches)
    truth = found["exact"]

    def recall(other):
        pairs = zip(truth, other, strict=True)
        return float(np.mean([np.isin(a, b).mean() for a, b in pairs]))

    return {
        "seconds": times,
        "recall_at_10": {name: recall(found[name]) for name in searches if name != "exact, CSLS"},
        "built": {"CSLS bank": prepared, "hnswlib": built},
        "index_bytes": rows.nbytes,
        "peak_bytes": in_own_process(peak),
    }


def mining(use, language):
    """F1 of pairs mined from two collections that share half of their sentences."""
    target, english = evaluation("ntrex", language)
    aligner = CrossLingualAligner(language, encoder=use, random_state=0).fit(english[:1])
    n, out = len(english), []
    for seed in range(MINING_SEEDS):
        rng = np.random.default_rng(seed)
        rows, columns = (rng.permutation(n)[: int(KEPT * n)] for _ in range(2))
        n_shared = len(np.intersect1d(rows, columns))
        sides = [english[i] for i in rows], [target[i] for i in columns]
        taken, mined = seconds(mine_pairs, *sides, aligner)
        everything = mine_pairs(*sides, aligner, threshold=0.0)

        f1 = partial(f1_score, rows, columns, n_shared)
        out.append(
            {
                "f1": f1(mined),
                "precision": float(
                    np.mean(rows[mined.source_index] == columns[mined.target_index])
                ),
                "expected_precision": mined.expected_precision,
                "threshold": mined.threshold,
                "best_f1": max(f1(everything, least) for least in everything.score),
                "mutual_f1": f1(everything),
                "seconds": taken,
            }
        )
    return {key: [run[key] for run in out] for key in out[0]}


def f1_score(rows, columns, n_shared, pairs, least=0.0):
    """F1 of the pairs with at least a score; a pair is right where both numbers are the same."""
    kept = pairs.score >= least
    right = (rows[pairs.source_index] == columns[pairs.target_index]) & kept
    return float(2 * right.sum() / (kept.sum() + n_shared))


def tuning(use):
    """Grid search over the adapter size by held-out retrieval."""
    pairs = sources("ko")[:N_GRID]
    use.encode([text for pair in pairs for text in pair])
    # The map back is not needed to choose; it is trained once, with the chosen size.
    aligner = CrossLingualAligner(
        "ko",
        encoder=use,
        method="contrastive",
        adapter_params={"inverse": False},
        random_state=0,
    )
    search = GridSearchCV(aligner, {"adapter_dim": SIZES}, cv=FOLDS, n_jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        taken, search = seconds(search.fit, pairs)
    results = search.cv_results_
    return {
        "seconds": taken,
        "best": search.best_params_["adapter_dim"],
        "recall": results["mean_test_score"].tolist(),
        "deviation": results["std_test_score"].tolist(),
        "fit_seconds": results["mean_fit_time"].tolist(),
    }


def main(only=None):
    """Measure everything, or mining alone, beside what the other parts have recorded."""
    print(machine(), "\n")
    use = encoder("use-multilingual")
    results = read_results("retrieval")
    if only is None:
        # Those that measure time come first.
        results = {"index": indexes(), "tuning": tuning(use)}
        results["recall"] = [row for language in LANGUAGES for row in recalls(use, language)]
    results["mining"] = {language: mining(use, language) for language in LANGUAGES}
    publish("retrieval", results, pages, readme)


def pages(results):
    """Texts of the docs."""
    note = "\n" + written_by("retrieval", results)
    mining, tuning = mining_table(results["mining"]), tuning_table(results["tuning"])
    return {
        "retrieval": recall_table(results["recall"]) + note,
        "search_index": index_table(results["index"]) + note,
        "mining": f"{mining}\n{tuning}{note}",
    }


def readme(results):
    """Recall on Tatoeba."""
    table = readme_table(results["recall"])
    return {"search": f"{table}\n\nMachine: {results['machine']}."}


def recall_table(rows):
    values = {tuple(row[:5]): row[5] for row in rows}
    systems = list(dict.fromkeys((row[2], row[3], row[4]) for row in rows))
    columns = [(name, language) for name in SETS for language in LANGUAGES]
    body = [
        [system, scoring, "" if scoring == "cosine" else bank]
        + [f"{values[language, name, system, scoring, bank]:.3f}" for name, language in columns]
        for system, scoring, bank in systems
    ]
    titles = {"tatoeba": "Tatoeba", "ntrex": "NTREX"}
    header = [f"{titles[name]} {language}" for name, language in columns]
    return to_rst(["Map", "Scoring", "Query bank", *header], body)


def readme_table(rows):
    """Tatoeba alone, by cosine and by CSLS."""
    names = {
        ("cosine", BANKS[0]): "cosine",
        ("csls", BANKS[0]): "CSLS, a bank of 5,000 other sentences",
        ("csls", BANKS[1]): "CSLS, all queries known beforehand",
    }
    body = [
        [f"{system}, {name}"]
        + [
            f"{value:.3f}"
            for language, test, *key, value in rows
            if key == [system, *scoring] and test == "tatoeba"
        ]
        for system in (NO_ALIGNMENT, "auto")
        for scoring, name in names.items()
    ]
    return to_markdown(["Map and score", *LANGUAGES], body)


def index_table(index):
    flat = np.array(index["seconds"]["FAISS IndexFlatIP"])
    exact = np.array(index["seconds"]["exact"])
    body = [
        [
            name,
            f"{statistics.median(taken):.2f}",
            # Of every turn, as a machine is faster in one minute than in the next.
            f"{np.median(taken / flat):.2f}",
            f"{np.median(taken / exact):.3f}",
            f"{index['recall_at_10'][name]:.3f}" if name in index["recall_at_10"] else "",
        ]
        for name, taken in index["seconds"].items()
    ]
    return (
        to_rst(["Index", "s", "of FAISS's time", "of exact's time", "recall at 10"], body)
        + f"\nPeak memory of indexing and searching, exact: {index['peak_bytes'] / 1e6:,.0f} MB, of "
        f"which the rows are {index['index_bytes'] / 1e6:,.0f} MB. Preparing the bank of {N_BANK:,} "
        f"queries for CSLS took {index['built']['CSLS bank']:.0f} s, building the graph of hnswlib "
        f"{index['built']['hnswlib']:.0f} s.\n"
    )


def mining_table(mined):
    def cell(values):
        return f"{np.mean(values):.3f} ± {np.std(values):.3f}"

    keys = ("f1", "precision", "expected_precision", "threshold", "best_f1", "mutual_f1")
    body = [[language, *(cell(runs[key]) for key in keys)] for language, runs in mined.items()]
    header = ["", "F1", "precision", "expected precision", "threshold"]
    return to_rst([*header, "F1 of the best threshold", "F1 without a threshold"], body)


def tuning_table(tuned):
    body = [
        [str(size), f"{recall:.4f} ± {deviation:.4f}", f"{taken:.1f}"]
        for size, recall, deviation, taken in zip(
            SIZES, tuned["recall"], tuned["deviation"], tuned["fit_seconds"], strict=True
        )
    ]
    return (
        f"Grid search over ``adapter_dim``, {N_GRID:,} Korean pairs, {FOLDS} folds, two processes, "
        f"without the map back: {tuned['seconds']:.0f} s, best {tuned['best']}.\n\n"
        + to_rst(["adapter_dim", "held-out recall at 1", "s a fit"], body)
    )
