"""Train an adapter on pairs, look at what it gained, and use it for search.

Runs offline on the pairs that come with the package. They are few and easy, so that the closed
form finds nearly all of them: with thousands of pairs of your own the adapter earns its time.
"""

from pathlib import Path
from tempfile import mkdtemp

import joblib

from langalign_sk import CrossLingualAligner
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.mapping import AdapterAligner

pairs = load_starter_corpus()[["ja", "en"]]
folder = Path(mkdtemp())

aligner = CrossLingualAligner(
    "ja",
    method="contrastive",
    adapter_params={"mse_weight": 0.0, "checkpoint": folder / "training"},
    random_state=0,
).fit(pairs)
print(aligner.alignment_report_)

adapter = aligner.language_map_
if not isinstance(adapter, AdapterAligner):  # with several languages, a dict of them
    raise TypeError(f"language_map_ is a {type(adapter).__name__}")
print(f"\nStarted from {adapter.start_}, kept epoch {adapter.best_epoch_} of {adapter.n_iter_}.")
for epoch in adapter.history_:
    print(f"  epoch {epoch['epoch']:2d}  loss {epoch['train_loss']:.3f}  "
          f"held-out recall {epoch['held_out_recall']:.3f}")  # fmt: skip

english, _ = load_service_requests(language="en", return_X_y=True)
japanese, _ = load_service_requests(language="ja", return_X_y=True)
nearest = aligner.transform(english) @ aligner.transform(japanese[:1])[0]
print(f"\n{japanese[0]}\n  finds: {english[nearest.argmax()]}")

joblib.dump(aligner, folder / "aligner.joblib")
size = (folder / "aligner.joblib").stat().st_size / 1e6
print(f"\nSaved to {size:.1f} MB.")
