"""Encode once: a cache that survives the process, and files of any number of rows.

Runs offline on the default encoder. With a model of your own, give its name or folder.
"""

import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.datasets import load_service_requests
from langalign_sk.encoders import FolderCache

folder = Path(mkdtemp())
encoder = SentenceEncoder("use-multilingual", cache=folder / "rows")
encoder.load()
english, topics = load_service_requests(language="en", return_X_y=True)

for attempt in ("first", "second"):
    start = time.perf_counter()
    CrossLingualAligner("ko", encoder=encoder, random_state=0).fit(english)
    print(f"{attempt} fit: {time.perf_counter() - start:.2f} s")
print(FolderCache(folder / "rows").info().to_string(index=False))

# As many as there may be: they are read as they are needed, and the rows go to a file.
numbers = (f"Order {i} has not arrived yet." for i in range(3_000))
rows = encoder.encode_to_file(numbers, folder / "orders.npy")
print(f"\n{rows.shape[0]:,} rows of width {rows.shape[1]}, mapped from {folder / 'orders.npy'}")

korean = encoder.encode(["1500번 주문이 아직 도착하지 않았습니다."])
print("nearest to Korean order 1500:", int(np.argmax(rows @ korean[0])))
