"""Report of a fitted aligner: held-out agreement and retrieval against no alignment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..metrics import RetrievalScores

__all__ = ["AlignmentReport", "AlignmentWarning", "Evaluation"]


# Of the tests against shuffled pairs; a handful of pairs have no smaller values than 1 %.
_LEVEL, _LEVEL_OF_FEW, _FEW = 0.01, 0.05, 10
_CANDIDATE_COLUMNS = [
    "method",
    "alpha",
    "power",
    "rank",
    "adapter_dim",
    "held_out_recall",
    "held_out_r2",
    "held_out_log_likelihood",
    "standard_error_to_best",
    "seconds",
    "objective",
]


@dataclass(frozen=True)
class Evaluation:
    """Held-out agreement and retrieval of one map beside its baseline.

    Every row is scored by a map that did not see it. Where "auto" or a grid chose the map, it chose
    by these rows, so the scores are slightly optimistic; score pairs of your own for a figure to
    publish.

    Attributes
    ----------
    part : {"language map", "bridge", "end to end"}
        What was measured. "language map": target rows against English rows of one encoder.
        "bridge": English rows of the multilingual encoder against the English system's own.
        "end to end": target text against the English system's vectors of its translation.
    language : str
        Language of the rows that are moved.
    method : str
        The method in use.
    n_fit : int
        Pairs (for the bridge: English texts) that the fitted map learned from.
    n_held_out : int
        Rows scored by maps that did not see them.
    unaligned : RetrievalScores or None
        No alignment. For "end to end" the target text is fed straight to the English encoder.
        None where there is no such baseline, since two spaces have nothing in common.
    aligned : RetrievalScores or None
        The map. None where there were too few rows to hold any out.
    candidates : dict
        Held-out scores and seconds of every candidate that "auto" or a grid compared.
    forward_recall, backward_recall : float or None
        Recall at 1 of the map by cosine, from moved rows to their counterparts and the other way.
    shuffled_p_value : float or None
        Share of 999 shuffles of the held-out pairs with at least that recall.
    hubness, unaligned_hubness : float or None
        Skewness of how often a counterpart is among the ten nearest of a row, see
        :func:`~langalign_sk.metrics.hubness_score`.
    score_agreement, unaligned_agreement : float or None
        Correlation of the scores that linear heads of random rows give to the held-out rows, moved
        and not, with those of their counterparts: what an English head feels of the map. None where
        nothing was measured, without a baseline, and in reports of earlier releases.
    agreement_p_value : float or None
        Share of 999 shuffles of the held-out pairs with at least that agreement.
    mismatched_share : float or None
        Estimated share of held-out pairs whose sides are no nearer to each other than those of
        random pairs, only of a language map. None also where sound pairs are too far apart to
        tell.
    suspect_pairs : tuple of int
        Up to ten pairs to look at, the worst first, numbered from 0 among the pairs of the language.
        Empty unless there are more mismatched pairs than sound corpora have.
    shifted_pairs : (int, int, int) or None
        First and last row of a run of pairs, and the offset by which their English sides would suit.
    faults : tuple of str
        What is wrong with the pairs: mismatched or shifted rows, another language, cut sentences.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner
    >>> aligner = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
    >>> evaluation = aligner.alignment_report_.evaluations[0]
    >>> evaluation.part, evaluation.n_fit, evaluation.n_held_out
    ('language map', 640, 640)
    >>> evaluation.aligned.recall_at_1 >= evaluation.unaligned.recall_at_1
    True
    """

    part: str
    language: str
    method: str
    n_fit: int
    n_held_out: int
    unaligned: RetrievalScores | None
    aligned: RetrievalScores | None
    candidates: dict[str, list] = field(default_factory=dict)
    forward_recall: float | None = None
    backward_recall: float | None = None
    shuffled_p_value: float | None = None
    hubness: float | None = None
    unaligned_hubness: float | None = None
    score_agreement: float | None = None
    unaligned_agreement: float | None = None
    agreement_p_value: float | None = None
    mismatched_share: float | None = None
    suspect_pairs: tuple[int, ...] = ()
    shifted_pairs: tuple[int, int, int] | None = None
    faults: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether neither agreement of scores nor recall is above that of shuffled pairs.

        At p >= .01, or .05 with fewer than ten held-out rows, shared by the two tests (Bonferroni).
        """
        known = [p for p in (self.shuffled_p_value, self.agreement_p_value) if p is not None]
        level = _LEVEL if self.n_held_out >= _FEW else _LEVEL_OF_FEW
        return bool(known) and len(known) * min(known) >= level


@dataclass(frozen=True)
class AlignmentReport:
    """Held-out scores of a fit against no alignment, and its warnings.

    Attributes
    ----------
    evaluations : tuple of Evaluation
        One per language map, one for the bridge, one per language end to end.
    warnings : tuple of str
        Reasons for doubt about the fit.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner
    >>> report = CrossLingualAligner("ko", random_state=0).fit(["Good morning."]).alignment_report_
    >>> list(report.to_frame().columns[:4])
    ['part', 'language', 'system', 'method']
    >>> report.trusted
    True
    """

    evaluations: tuple[Evaluation, ...]
    warnings: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether all maps were measured, none is as for shuffled pairs, and no pairs look wrong.

        A map is better than for shuffled pairs if the scores of heads agree more, or more translations
        are found. False also where nothing was measured: no pairs, or too few to hold any out.
        """
        measured = [e.shuffled_p_value is not None for e in self.evaluations]
        wrong = [e.failed or bool(e.faults) for e in self.evaluations]
        return any(measured) and all(measured) and not any(wrong)

    def to_frame(self) -> Any:
        """Table of all scores, one row per system.

        Returns
        -------
        pandas.DataFrame
            Columns part, language, system, method, recall_at_1, csls_recall_at_1,
            mean_reciprocal_rank, mean_cosine, score_agreement, n_held_out, n_fit.
        """
        import pandas as pd

        rows = []
        for evaluation in self.evaluations:
            systems = {
                "no alignment": (evaluation.unaligned, evaluation.unaligned_agreement),
                "aligned": (evaluation.aligned, evaluation.score_agreement),
            }
            for system, (scores, agreement) in systems.items():
                if scores is None:
                    continue
                rows.append(
                    {
                        "part": evaluation.part,
                        "language": evaluation.language,
                        "system": system,
                        "method": evaluation.method if system == "aligned" else "",
                        **vars(scores),
                        "score_agreement": np.nan if agreement is None else agreement,
                        "n_held_out": evaluation.n_held_out,
                        "n_fit": evaluation.n_fit,
                    }
                )
        columns = ["part", "language", "system", "method", *RetrievalScores.__dataclass_fields__]
        return pd.DataFrame(rows, columns=[*columns, "score_agreement", "n_held_out", "n_fit"])

    def candidates_to_frame(self) -> Any:
        """Table of every map that "auto" or a grid compared, one row per candidate.

        Returns
        -------
        pandas.DataFrame
            Columns language, method, alpha, power, rank, adapter_dim, held_out_recall,
            held_out_r2, held_out_log_likelihood, standard_error_to_best, seconds, objective.
            ``held_out_r2`` is the coefficient of determination of the counterparts, NaN in a shared
            space. All scores are NaN for a candidate that ran out of time. ``objective`` says by
            what the map was chosen: "retrieval", the likelihood, or "head", the squared error, of
            which ``standard_error_to_best`` is that of the mean of a row.
        """
        import pandas as pd

        frames = [
            # Reports of earlier releases say nothing of the objective.
            pd.DataFrame({"language": e.language, "objective": "retrieval", **e.candidates})
            for e in self.evaluations
            if e.candidates
        ]
        if not frames:
            return pd.DataFrame(columns=["language", *_CANDIDATE_COLUMNS])
        return pd.concat(frames, ignore_index=True)[["language", *_CANDIDATE_COLUMNS]]

    def __str__(self) -> str:
        frame = self.to_frame()
        text = "no held-out scores" if frame.empty else frame.round(3).to_string(index=False)
        parts = [text, *(f"warning: {w}" for w in self.warnings)]
        candidates = self.candidates_to_frame()
        parts += [f"maps chosen for: {objective}" for objective in candidates["objective"].unique()]
        if candidates["adapter_dim"].notna().any():  # the choice cost minutes: show what for
            shown = candidates.drop(columns=["rank", "standard_error_to_best", "objective"]).round(
                3
            )
            parts += ["", "candidates:", shown.to_string(index=False, na_rep="")]
        return "\n".join(parts)


class AlignmentWarning(UserWarning):
    """Warning of a map that is no better than for shuffled pairs, or of pairs that look wrong.

    Examples
    --------
    >>> import warnings
    >>> from langalign_sk.aligner._report import AlignmentWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AlignmentWarning)  # a fit in here fails where it warned
    """
