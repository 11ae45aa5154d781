"""Centring: the mean of each language is subtracted before the cosine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .exact import Rows, nearest
from .index import unit

__all__ = ["Centring", "means_by_language", "prior_means"]


# Queries after which their own mean counts as much as that of the pairs
# (`python -m benchmarks search`).
_PRIOR_QUERIES = 50
_LEAST = 1e-6  # length of a centred row below which nothing is left of it but rounding


class Centring:
    """Means of languages that are subtracted from unit rows.

    Rows of one language share a direction in most encoders, which adds the same amount to all
    cosines and hides what is particular to a text. The means of queries begin as those of
    translation pairs and move to those of the queries that are seen; the mean of the documents
    moves from that of the pairs' English side to that of the documents that the queries ask for, by
    the same share, as both means must be of one kind of text.

    Parameters
    ----------
    prior : dict of str to ndarray of shape (width,)
        Means of unit rows of the pairs by language, with "en". Empty where there are no pairs.
    documents : dict of str to ndarray of shape (width,)
        Means of unit rows of the documents that queries asked for, by language.
    """

    def __init__(self, prior: dict[str, NDArray], documents: dict[str, NDArray]) -> None:
        self.prior, self.of_documents = prior, documents
        self.sums: dict[str, NDArray] = {}
        self.counts: dict[str, int] = {}

    @property
    def n_queries(self) -> int:
        """Number of queries that were seen."""
        return sum(self.counts.values())

    def observe(
        self,
        rows: NDArray,
        languages: Sequence[str],
        found: NDArray | None = None,
        found_languages: Sequence[str] = (),
    ) -> None:
        """Take unit rows of queries, and of the documents that they ask for, into the means.

        Parameters
        ----------
        rows : ndarray of shape (n_queries, width), float32
            Unit rows, not centred.
        languages : sequence of str
            Their languages.
        found : ndarray of shape (n_found, width), float32, or None, default=None
            Unit rows of documents, not centred.
        found_languages : sequence of str, default=()
            Their languages.
        """
        if found is not None:
            before = self.n_queries
            for language, mean in means_by_language(found, found_languages).items():
                n = sum(code == language for code in found_languages)
                old = self.of_documents.get(language)
                whole = mean if old is None else (before * old + n * mean) / (before + n)
                self.of_documents = {**self.of_documents, language: whole}
        codes = np.array(languages)
        for language in sorted({*languages}):
            part = rows[codes == language]
            total = self.sums.get(language, np.zeros(rows.shape[1]))
            self.sums[language] = total + part.sum(axis=0, dtype=np.float64)
            self.counts[language] = self.counts.get(language, 0) + len(part)

    def asked_for(
        self, rows: NDArray, asked: Sequence[str], documents: NDArray, languages: Sequence[str]
    ) -> tuple[NDArray, list[str]]:
        """Rows and languages of the documents that queries find first by the means of pairs.

        An index may hold much that nobody asks for; the mean of the documents that are asked for
        lies as the mean of the queries does.

        Parameters
        ----------
        rows : ndarray of shape (n_queries, width), float32
            Unit rows of queries, not centred.
        asked : sequence of str
            Their languages.
        documents : ndarray of shape (n_documents, width), float32
            Unit rows, not centred.
        languages : sequence of str
            Languages of the documents.

        Returns
        -------
        rows : ndarray of shape (n_queries, width), float32
            Unit rows, not centred; a document may come several times.
        languages : list of str
            Their languages.
        """
        general = Centring(self.prior, {})
        Q, D = rows, documents
        if self.prior:
            Q = general.queries(Q, asked)
            D = general.documents(D, languages)[0]
        first = nearest(Q, Rows([D]), [(1, None)])[0][0][:, 0]
        return documents[first], [languages[i] for i in first]

    def query_mean(self, language: str) -> NDArray:
        """Mean of the queries of a language; that of the other languages where it is unknown."""
        n, total = self.counts.get(language, 0), self.sums.get(language)
        prior = self.prior.get(language)
        if prior is not None:
            weighted = _PRIOR_QUERIES * prior + (0 if total is None else total)
            return np.asarray(weighted / (_PRIOR_QUERIES + n), dtype=np.float32)
        if total is not None:
            return np.asarray(total / n, dtype=np.float32)
        known = sorted(({*self.prior} | {*self.sums}) - {"en"}) or ["en"]
        means = [self.query_mean(other) for other in known]
        return np.asarray(np.mean(means, axis=0), dtype=np.float32)

    def document_mean(self, language: str) -> NDArray:
        """Mean of the documents of a language; that of the other languages where it is unknown."""
        prior, own = self.prior.get(language), self.of_documents.get(language)
        if prior is None and own is None:
            known = list(self.of_documents.values()) or list(self.prior.values())
            return np.asarray(np.mean(known, axis=0), dtype=np.float32)
        if own is None:
            return np.asarray(prior, dtype=np.float32)
        if prior is None:
            return np.asarray(own, dtype=np.float32)
        share = self.n_queries / (self.n_queries + _PRIOR_QUERIES)
        return np.asarray(share * own + (1 - share) * prior, dtype=np.float32)

    def queries(self, rows: NDArray, languages: Sequence[str]) -> NDArray:
        """Unit rows of queries, centred and scaled to length 1 again."""
        codes, out = np.array(languages), np.empty_like(rows)
        for language in sorted({*languages}):
            at = codes == language
            out[at] = rows[at] - self.query_mean(language)
        return _scaled(out)[0]

    def documents(self, rows: NDArray, languages: Sequence[str]) -> tuple[NDArray, NDArray]:
        """Unit rows of documents, centred and scaled to length 1 again, and the lengths before.

        Parameters
        ----------
        rows : ndarray of shape (n_documents, width), float32
            Unit rows.
        languages : sequence of str
            Their languages.

        Returns
        -------
        rows : ndarray of shape (n_documents, width), float32
            Centred unit rows.
        lengths : ndarray of shape (n_documents,), float32
            Their lengths before they were scaled, from which `restored` finds the rows again.
        """
        codes, out = np.array(languages), np.empty_like(rows)
        for language in sorted({*languages}):
            at = codes == language
            out[at] = rows[at] - self.document_mean(language)
        return _scaled(out)

    def restored(self, rows: NDArray, lengths: NDArray, languages: Sequence[str]) -> NDArray:
        """Unit rows of documents from those that `documents` returned with the means of now."""
        codes, out = np.array(languages), rows * lengths[:, None]
        for language in sorted({*languages}):
            out[codes == language] += self.document_mean(language)
        return unit(out)


def means_by_language(rows: NDArray, languages: Sequence[str]) -> dict[str, NDArray]:
    """Mean row of every language."""
    codes = np.array(languages)
    return {
        language: rows[codes == language].mean(axis=0, dtype=np.float64)
        for language in sorted({*languages})
    }


def prior_means(pairs: dict[str, tuple[NDArray, NDArray]]) -> dict[str, NDArray]:
    """Means of both sides of translation pairs, by language."""
    if not pairs:
        return {}
    english = np.concatenate([side for _, side in pairs.values()])
    sides = {language: targets for language, (targets, _) in pairs.items()}
    return {
        language: rows.mean(axis=0, dtype=np.float64)
        for language, rows in {**sides, "en": english}.items()
    }


def _scaled(rows: NDArray) -> tuple[NDArray, NDArray]:
    """Centred rows scaled to length 1, those that lie on the mean to 0, and their lengths before."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    least = lengths < _LEAST
    rows /= np.where(least, 1, lengths)[:, None]
    rows[least] = 0
    return rows, lengths
