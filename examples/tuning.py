"""Choose the size of an adapter by held-out retrieval, without a label in the target language.

Runs offline on the 640 pairs that come with the package. With LANGALIGN_DATA set to the folder of
the evaluation corpora, on 3,000 everyday Korean sentences, where the sizes differ more.
"""

import os
from pathlib import Path

import pandas as pd
from sklearn.model_selection import GridSearchCV, GroupKFold

from langalign_sk import CrossLingualAligner
from langalign_sk.datasets import load_starter_corpus
from langalign_sk.model_selection import make_retrieval_scorer, pair_groups

folder = os.environ.get("LANGALIGN_DATA")
if folder:
    path = Path(folder, "parallel", "ko", "anki_tatoeba.tsv")
    pairs = pd.read_csv(path, sep="\t", names=["en", "ko"], quoting=3)[["ko", "en"]].head(3_000)
else:
    pairs = load_starter_corpus()[["ko", "en"]]

# "Tom ran." stands in several pairs: the folds keep them together, and every score is on as many
# distinct pairs, for recall falls as the pool grows.
groups = pair_groups(pairs)
scorer = make_retrieval_scorer("recall", pool_size=len(set(groups)) // 6)
grid = [
    {"method": ["identity", "procrustes", "ridge"]},
    {"method": ["contrastive"], "adapter_dim": [0, 64, 256]},
]
search = GridSearchCV(
    CrossLingualAligner("ko", random_state=0),
    grid,
    scoring=scorer,
    cv=GroupKFold(5),
)
search.fit(pairs, groups=groups)

settings = [
    ", ".join(f"{k}={v}" for k, v in params.items()) for params in search.cv_results_["params"]
]
table = pd.DataFrame({"setting": settings})
table["recall at 1"] = search.cv_results_["mean_test_score"].round(4)
table["± over folds"] = search.cv_results_["std_test_score"].round(4)
table["s a fit"] = search.cv_results_["mean_fit_time"].round(2)
print(f"{len(pairs):,} pairs, {len(set(groups)):,} of them distinct; {scorer}\n")
print(table.to_string(index=False))
print(f"\nChosen: {search.best_params_}")
