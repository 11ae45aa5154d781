"""Table of what can be saved: classes, the writer of each, and its addresses in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from .._quality import TextModel, TextQuality, VectorModel, VectorQuality
from ..aligner import CrossLingualAligner
from ..aligner._evidence import PairChecks
from ..aligner._report import AlignmentReport, Evaluation
from ..classifier import AlignedClassifier, CrossLingualClassifier, KernelRidgeClassifier
from ..classifier._heads import Head, KeptRows
from ..classifier._report import AdaptationReport, ClassifierReport, ViewReport
from ..classifier._views import View
from ..encoders import EndpointEncoder, SentenceEncoder
from ..mapping import AdapterAligner, LinearAligner, Network
from ..metrics import RetrievalScores
from ..retrieval import CrossLingualRetriever

__all__ = [
    "KINDS",
    "OWN_OBJECTS",
    "Kind",
    "classes",
    "kind_in_json",
    "kind_named",
    "kind_of",
    "trusted",
]


# Attributes that scikit-learn sets.
_OF_ESTIMATORS = ("n_features_in_", "feature_names_in_", "_sklearn_output_config")


@dataclass(frozen=True)
class Kind:
    """Class whose objects can be saved.

    Attributes
    ----------
    cls : type
        The class itself; objects of subclasses are not saved.
    writer : {"arrays", "index", "skops"} or None
        How `save` writes an estimator of this class: JSON and arrays, the same with the files of
        an index, or one file of skops. None for what is saved as a part of an estimator only.
    inside : tuple of {"json", "skops"}
        Files that may hold such an object. Whatever a file names beyond that is refused, except
        the types that skops trusts by itself.
    old_addresses : tuple of str
        Dotted names under which earlier releases wrote the class to files of skops.
    own_objects : tuple of str
        Parameters that take objects of the user's own, which are not saved.
    left_out : tuple of str
        Attributes that are saved as None.
    fitted : tuple of str
        Attributes in JSON besides the parameters, those of every estimator aside.
    """

    cls: type
    writer: Literal["arrays", "index", "skops"] | None = None
    inside: tuple[Literal["json", "skops"], ...] = ("json", "skops")
    old_addresses: tuple[str, ...] = ()
    own_objects: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()

    @property
    def attributes(self) -> frozenset[str]:
        """Attributes of an object in JSON; a file that holds others is refused."""
        return frozenset((*signature(self.cls).parameters, *self.fitted, *_OF_ESTIMATORS))

    @property
    def name(self) -> str:
        """Name in the manifest and in JSON, which has no dots: it survives a move of the class."""
        return self.cls.__name__

    @property
    def addresses(self) -> tuple[str, ...]:
        """Dotted names in files of skops: that of today, and the old ones."""
        return (f"{self.cls.__module__}.{self.cls.__qualname__}", *self.old_addresses)


# A class that is to be saved is entered here, and nowhere else. An address that was ever in a
# saved file stays, and its module with it.
KINDS = (
    Kind(
        CrossLingualAligner,
        "arrays",
        old_addresses=("langalign_sk.aligner.CrossLingualAligner",),
        own_objects=("encoder", "english_encoder", "detect"),
        fitted=(
            "language_map_",
            "method_",
            "bridge_map_",
            "alignment_report_",
            "_text_quality",
            "_vector_quality",
            "_models_seen",
            "_normalization_version",
        ),
    ),
    Kind(
        LinearAligner,
        "arrays",
        fitted=(
            "coef_",
            "intercept_",
            "inverse_coef_",
            "inverse_intercept_",
            "counterpart_coef_",
            "counterpart_intercept_",
            "method_",
            "alpha_",
            "power_",
            "rank_",
            "cv_results_",
            "_n_targets",
        ),
    ),
    Kind(
        AdapterAligner,
        "arrays",
        left_out=("_partial_state",),  # only an interrupted training goes on from this state
        fitted=(
            "network_",
            "inverse_network_",
            "counterpart_network_",
            "held_out_indices_",
            "held_out_recall_",
            "start_recall_",
            "start_",
            "stopped_",
            "history_",
            "n_iter_",
            "best_epoch_",
            "_n_targets",
            "_made_of",
            "_partial_state",
        ),
    ),
    Kind(CrossLingualRetriever, "index", inside=()),
    Kind(
        AlignedClassifier,
        "skops",
        inside=("skops",),
        old_addresses=("langalign_sk.classifier.AlignedClassifier",),
    ),
    Kind(CrossLingualClassifier, "skops", inside=("skops",)),
    Kind(KernelRidgeClassifier, inside=("skops",)),
    Kind(View, inside=("skops",)),
    Kind(Head, inside=("skops",)),
    Kind(KeptRows, inside=("skops",)),
    Kind(ClassifierReport, inside=("skops",)),
    Kind(ViewReport, inside=("skops",)),
    Kind(AdaptationReport, inside=("skops",)),
    Kind(Pipeline, "skops", inside=()),  # skops trusts it by itself
    Kind(AlignmentReport, old_addresses=("langalign_sk.inspection.report.AlignmentReport",)),
    Kind(Evaluation, old_addresses=("langalign_sk.inspection.report.Evaluation",)),
    Kind(PairChecks, old_addresses=("langalign_sk.trust.PairChecks",)),
    Kind(RetrievalScores),
    Kind(Network),
    Kind(
        SentenceEncoder,
        old_addresses=("langalign_sk.encoders.handles.SentenceEncoder",),
        fitted=("_seen",),
    ),
    Kind(EndpointEncoder, fitted=("_seen",)),
    Kind(TextModel, old_addresses=("langalign_sk._quality.TextModel",)),
    Kind(TextQuality, old_addresses=("langalign_sk._quality.TextQuality",)),
    Kind(VectorModel, old_addresses=("langalign_sk.trust.VectorModel",)),
    Kind(VectorQuality, old_addresses=("langalign_sk._quality.VectorQuality",)),
)
OWN_OBJECTS = tuple(name for kind in KINDS for name in kind.own_objects)


def kind_of(estimator: Any) -> Kind:
    """Kind of an estimator that `save` takes.

    Raises
    ------
    TypeError
        If it is of no such class.
    """
    for kind in KINDS:
        if kind.writer is not None and type(estimator) is kind.cls:
            return kind
    names = ", ".join(kind.name for kind in KINDS if kind.writer is not None)
    raise TypeError(f"save takes one of {names}, fitted, got {_other(estimator)}")


def _other(estimator: Any) -> str:
    """Full name of a class that is not saved, and what to do with its objects."""
    cls = estimator if isinstance(estimator, type) else type(estimator)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if cls is estimator:
        return f"the class {name} itself: pass a fitted object of it."
    if any(hasattr(step, "fit_resample") for _, step in getattr(estimator, "steps", ())):
        return (
            f"{name}, which is not {Pipeline.__module__}.Pipeline. Its samplers do nothing after fit: "
            "save sklearn.pipeline.Pipeline([step for step in pipeline.steps if not hasattr(step[1], "
            "'fit_resample')]), or dump the whole by joblib."
        )
    saved = [kind.cls for kind in KINDS if kind.writer is not None]
    for place, part in _parts(estimator):
        if type(part) in saved:
            return (
                f"{name}. Save the {type(part).__name__} in its `{place}`, or dump the whole by "
                "joblib: load such files only if you trust them."
            )
    alike = [known for known in saved if known.__name__ == cls.__name__ or issubclass(cls, known)]
    if alike:
        return (
            f"{name}, which is another class than {_public_name(alike[0])} and may need code of its "
            "own: dump it by joblib, and load such files only if you trust them."
        )
    return f"{name}. Dump other estimators by joblib or skops."


def _parts(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Fitted parts of a meta-estimator, with the names of the attributes that hold them."""
    for name, value in getattr(estimator, "__dict__", {}).items():
        if name.endswith("_") or isinstance(estimator, FrozenEstimator | FeatureUnion):
            yield from ((name, part) for part in _flat(value))


def _flat(value: Any) -> Iterator[Any]:
    """A value, or what lists of (name, value) hold."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _public_name(cls: type) -> str:
    own = cls.__module__.startswith("langalign_sk.")
    return f"langalign_sk.{cls.__name__}" if own else f"{cls.__module__}.{cls.__name__}"


def kind_named(name: Any) -> Kind:
    """Kind of the estimator that a manifest names.

    Raises
    ------
    KeyError
        If `save` writes nothing by this name.
    """
    for kind in KINDS:
        if kind.writer is not None and name == kind.name:
            return kind
    raise KeyError(name)


def kind_in_json(name: Any) -> Kind:
    """Kind of an object in JSON. Nothing is imported by a name that stands in a file.

    Raises
    ------
    KeyError
        If JSON holds no objects by this name.
    """
    for kind in KINDS:
        if "json" in kind.inside and name == kind.name:
            return kind
    raise KeyError(name)


def classes() -> frozenset[type]:
    """Classes of all kinds."""
    return frozenset(kind.cls for kind in KINDS)


def trusted() -> frozenset[str]:
    """Addresses of the classes of this package that skops may build."""
    return frozenset(a for kind in KINDS if "skops" in kind.inside for a in kind.addresses)
