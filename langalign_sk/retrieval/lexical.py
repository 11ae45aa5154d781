"""Lexical view of a search: BM25 over the tokens that languages share."""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from .._utils.normalization import normalize_text
from .._utils.optional import import_extra

__all__ = ["LexicalEvidence", "LexicalIndex", "lexical_evidence", "shared_tokens"]


# Letters of scripts that are written without spaces, or with particles: two languages do not share
# the words between spaces. The blocks are Thai to Tibetan, Myanmar, Hangul, Khmer, and kana to
# Hangul syllables with the ideographs.
_NO_WORDS = (
    "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_PART = rf"[^\W_{_NO_WORDS}]+"
_TOKEN = re.compile(rf"{_PART}(?:[-_./:+@&]{_PART})*(?:\+\+|#)?")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_SOUNDS = re.compile(r"[\u30a1-\u30fa\u30fc]{2,}|[\uac00-\ud7a3]{2,}")  # katakana, hangul
_ROMAN = re.compile(r"[a-z]{3,}")
_ACCENTS = re.compile("[\u0300-\u036f]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# A token that a document repeats tells little more than one that it has once: recall at 1 of two
# encoders and this view is higher with .3 than with 1.5, the default of bm25s.
_K1 = 0.3
_B = 0.75
# Least cosine of character n-grams, and most words of the documents, for one romanised word.
_LEAST_SIMILAR = 0.3
_MOST_SIMILAR = 20
_REMEMBERED = 10_000  # romanised words whose similar words are kept
# Of pairs, for a lexical view that is worth its cost.
_LEAST_SHARE = 0.01
_LEAST_AUC = 0.55
_MOST_PAIRS = 500


class LexicalIndex:
    """BM25 index of the tokens that languages share: numbers, names in Latin letters, identifiers.

    Documents are counted by position, which counts removed ones too. The score of a document is
    BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009;
    as in Lucene, by the library bm25s) over the logarithm of the number of documents: a token that
    stands in one document counts about 1 at most, one that stands in every document about 0. It
    depends on the documents and the query, and on no other query.

    Words in katakana and hangul are romanised (by the library anyascii), and stand for the words of
    the documents with similar character n-grams: a token counts as much as the cosine of their
    tf-idf. A document without such a word and without a token of the query has the score 0.

    Parameters
    ----------
    texts : sequence of str
        Documents. Any number, and any of them may be empty.

    Raises
    ------
    ImportError
        If bm25s or anyascii is not installed.

    Examples
    --------
    >>> index = LexicalIndex(["The pump A-113/x2", "A pump", "Version 2.0 of the manual"])
    >>> positions, scores = index.search(["水泵 A-113/x2 在哪里？", "매뉴얼"], k=2)
    >>> positions.tolist()
    [[0, 1], [2, -1]]
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        for library in ("bm25s", "anyascii"):
            _imported(library)
        self._vocabulary: dict[str, int] = {}
        self._tokens: list[list[int]] = []
        self._alive: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._weights: _Weights | None = None
        self.append(texts)

    @property
    def n_rows(self) -> int:
        """Number of positions, with those of removed documents."""
        return len(self._tokens)

    def copied(self) -> LexicalIndex:
        """Index of the same documents, whose changes leave this one as it is."""
        out = copy.copy(self)
        out._vocabulary, out._tokens = dict(self._vocabulary), list(self._tokens)
        out._alive, out._weights = self._alive.copy(), self._weights
        return out

    def append(self, texts: Iterable[str]) -> None:
        """Index more documents, at the positions that follow.

        Parameters
        ----------
        texts : iterable of str
            Documents.
        """
        known = self._vocabulary
        before = len(self._tokens)
        for text in texts:
            tokens = shared_tokens(text)
            self._tokens.append([known.setdefault(token, len(known)) for token in tokens])
        more = np.ones(len(self._tokens) - before, dtype=bool)
        self._alive = np.concatenate([self._alive, more])
        self._weights = None

    def remove(self, positions: Sequence[int] | NDArray[np.intp]) -> None:
        """Remove documents; those that stay keep their positions.

        Parameters
        ----------
        positions : sequence of int
            Positions of documents. What was removed before may be removed again.
        """
        for position in np.asarray(positions, dtype=np.intp):
            self._alive[position] = False
            self._tokens[position] = []
        self._weights = None

    def search(self, queries: Sequence[str], k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and scores of the k best documents of each query, best first.

        Parameters
        ----------
        queries : sequence of str
            Texts.
        k : int
            At least 1.

        Returns
        -------
        positions : ndarray of shape (n_queries, k), dtype int
            Positions; -1 where fewer documents have a token of the query. Equal scores are ordered
            by position.
        scores : ndarray of shape (n_queries, k), float32
            Scores; -inf in these places.
        """
        positions = np.full((len(queries), k), -1, dtype=np.intp)
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for i, query in enumerate(queries):
            scores = self._scores(query)
            if scores is None:
                continue
            found = np.flatnonzero(scores)
            if len(found) > k:
                least = np.partition(scores[found], len(found) - k)[len(found) - k]
                found = found[scores[found] >= least]
            found = found[np.lexsort((found, -scores[found]))][:k]
            positions[i, : len(found)], best[i, : len(found)] = found, scores[found]
        return positions, best

    def score(self, queries: Sequence[str], positions: NDArray[np.intp]) -> NDArray:
        """Scores of given documents.

        Parameters
        ----------
        queries : sequence of str
            Texts.
        positions : ndarray of shape (n_queries, n_candidates), dtype int
            Positions of documents; -1 for none.

        Returns
        -------
        ndarray of shape (n_queries, n_candidates), float32
            Scores; 0 for -1, for removed documents, and where no token is shared.
        """
        out = np.zeros(positions.shape, dtype=np.float32)
        for i, query in enumerate(queries):
            scores = self._scores(query)
            if scores is not None:
                out[i] = np.where(positions[i] >= 0, scores[positions[i]], 0)
        return out

    def _scores(self, query: str) -> NDArray | None:
        """Scores of all positions; None where no document has a token of the query."""
        weights = self._weights
        if weights is None:
            alive = [self._tokens[position] for position in np.flatnonzero(self._alive)]
            if not any(alive):
                return None
            weights = self._weights = _Weights(alive, self._vocabulary)
        # Every token once: what a query says twice is not twice as rare.
        tokens = dict.fromkeys(shared_tokens(query))
        found = {self._vocabulary[token]: 1.0 for token in tokens if token in self._vocabulary}
        for token, cosine in weights.similar(_romanised(query)):
            found[token] = max(found.get(token, 0.0), cosine)
        if not found:
            return None
        of_alive = weights.scores(found)
        if len(of_alive) == self.n_rows:
            return of_alive
        scores = np.zeros(self.n_rows, dtype=np.float32)
        scores[self._alive] = of_alive
        return scores

    def __getstate__(self) -> dict[str, Any]:
        """State without what is built again at the first search."""
        return self.__dict__ | {"_weights": None}


class _Weights:
    """BM25 weights of the tokens of documents, and n-grams of the words among these tokens."""

    def __init__(self, documents: list[list[int]], vocabulary: dict[str, int]) -> None:
        bm25 = _imported("bm25s").BM25(k1=_K1, b=_B, method="lucene", backend="numpy")
        bm25.index((documents, vocabulary), create_empty_token=False, show_progress=False)
        self._n_documents = len(documents)
        self._starts, self._documents = bm25.scores["indptr"], bm25.scores["indices"]
        self._weights = bm25.scores["data"] / np.float32(np.log1p(len(documents)))
        used = set(chain.from_iterable(documents))  # not by removed documents alone
        words = [word for word, i in vocabulary.items() if i in used and _ROMAN.fullmatch(word)]
        self._ids = np.array([vocabulary[word] for word in words], dtype=np.intp)
        self._ngrams = self._rows = None
        if words:
            self._ngrams = TfidfVectorizer(
                analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32
            )
            self._rows = self._ngrams.fit_transform(words).T.tocsr()
        self._similar: dict[str, list[tuple[int, float]]] = {}

    def scores(self, tokens: dict[int, float]) -> NDArray:
        """Scores of all documents for tokens with their factors."""
        out = np.zeros(self._n_documents, dtype=np.float32)
        for token, factor in tokens.items():
            at = slice(self._starts[token], self._starts[token + 1])
            # A token stands at most once in the list of each document.
            out[self._documents[at]] += np.float32(factor) * self._weights[at]
        return out

    def similar(self, words: list[str]) -> list[tuple[int, float]]:
        """Tokens that romanised words may stand for, with cosines of n-grams."""
        if self._ngrams is None:
            return []
        known = self._similar  # another thread may begin a new one
        if len(known) >= _REMEMBERED:
            known = self._similar = {}
        new = [word for word in words if word not in known]
        if new:
            cosines = (self._ngrams.transform(new) @ self._rows).tocsr()
            ends = zip(cosines.indptr, cosines.indptr[1:], strict=False)
            for word, (start, end) in zip(new, ends, strict=True):
                near = start + np.flatnonzero(cosines.data[start:end] >= _LEAST_SIMILAR)
                near = near[np.argsort(-cosines.data[near], kind="stable")[:_MOST_SIMILAR]]
                tokens = self._ids[cosines.indices[near]].tolist()
                known[word] = list(zip(tokens, cosines.data[near].tolist(), strict=True))
        return [similar for word in words for similar in known[word]]


def _imported(library: str) -> Any:
    """Import a library of the extra."""
    return import_extra(library, f"The lexical view needs {library}", "lexical")


def _romanised(text: str) -> list[str]:
    """Words in katakana and hangul, in Latin letters, each once."""
    if text.isascii():
        return []
    romanise = _imported("anyascii").anyascii
    words = _SOUNDS.findall(unicodedata.normalize("NFKC", text))
    return list(dict.fromkeys(romanise(word).lower() for word in words))


@dataclass(frozen=True)
class LexicalEvidence:
    """What pairs say about a lexical view.

    Attributes
    ----------
    share : float
        Share of the pairs whose sides share a token.
    auc : float
        Area under the ROC curve: among queries that share a token with any document, how often
        their own document has a higher score than another one; ties count half.
    """

    share: float
    auc: float

    @property
    def helps(self) -> bool:
        """Whether the view is worth fusing."""
        return self.share >= _LEAST_SHARE and self.auc >= _LEAST_AUC


def lexical_evidence(queries: Sequence[str], documents: Sequence[str]) -> LexicalEvidence:
    """Area under the ROC curve of the lexical view on pairs.

    Parameters
    ----------
    queries : sequence of str
        Texts of one side, such as the target language. At most 500, evenly spaced, are looked at.
    documents : sequence of str
        The texts that they ask for, in the same order.

    Returns
    -------
    LexicalEvidence
        Its attribute `helps` decides for or against the view.

    Raises
    ------
    ValueError
        If the numbers of texts differ.
    ImportError
        If bm25s or anyascii is not installed.
    """
    if len(queries) != len(documents):
        raise ValueError(f"{len(queries)} queries and {len(documents)} documents are not pairs.")
    if not len(queries):
        return LexicalEvidence(0.0, 0.5)
    at = np.unique(np.linspace(0, len(queries) - 1, _MOST_PAIRS).astype(int))
    index = LexicalIndex([documents[i] for i in at])
    asked = [queries[i] for i in at]
    scores = index.score(asked, np.tile(np.arange(len(at)), (len(at), 1)))
    own = scores.diagonal()[:, None]
    asks = (scores > 0).any(axis=1)
    if len(at) == 1 or not asks.any():
        return LexicalEvidence(float((own > 0).mean()), 0.5)
    wins = (scores < own).sum(axis=1) + 0.5 * ((scores == own).sum(axis=1) - 1)
    auc = wins[asks].mean() / (len(at) - 1)
    return LexicalEvidence(float((own > 0).mean()), float(auc))


def shared_tokens(text: str) -> list[str]:
    """Tokens of a text that another language may share.

    Parameters
    ----------
    text : str
        Text in any language.

    Returns
    -------
    list of str
        Words of scripts that are written with spaces, numbers and identifiers, without case, accents
        and thousands separators. Identifiers of several parts are followed by their parts.

    Examples
    --------
    >>> shared_tokens("펌프 A-113/x2의 가격은 １，５００달러")
    ['a-113/x2', 'a', '113', 'x', '2', '1500']
    """
    if not text.isascii():
        visible = normalize_text(text, "NFC")  # a soft hyphen would part a word
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", visible))
    out = []
    for token in _TOKEN.findall(_THOUSANDS.sub("", text.casefold())):
        out.append(token)
        if not token.isalpha():
            parts = _PARTS.findall(token)
            if len(parts) > 1:
                out += parts
    return out
