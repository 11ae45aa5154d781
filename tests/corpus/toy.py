"""A small corpus, and files that hold it."""

import gzip

from langalign_sk.corpus import ParallelCorpus

KO = ["하나", "둘", "셋"]
EN = ["one", "two", "three"]


def make(target=KO, source=EN, lang="ko", **params):
    return ParallelCorpus(target, source, target_lang=lang, **params)


def write(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path
