"""Policy of loading: what a file may decide, and what only the caller does."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from sklearn.tree._tree import Tree
from sklearn.utils import get_tags

from .._utils.bundle import Bundle
from .._utils.validation import warn_user
from ..aligner import CrossLingualAligner
from ..aligner._pairs import CORPORA
from ..encoders import EndpointEncoder, SentenceEncoder
from ..encoders.base import TextEncoder
from ..encoders.models.presets import OFFLINE
from ..encoders.models.registry import take_from_hub
from ..mapping import AdapterAligner
from ._kinds import KINDS, classes

__all__ = ["Policy"]


_ENCODERS = ("encoder", "english_encoder")
_MOST_DEVICES = 64
_MOST_PARTS, _MOST_LEVELS = 1 << 16, 200  # estimators in an estimator, and containers too
_PLAIN_TYPES = (bool, int, float, str, object)  # as the dtype of a transformer
_FINITE = ("coef_", "intercept_")
_LONGEST_NGRAM = 32  # words or letters, of which a text of n has about n times as many n-grams
# Types of scikit-learn whose compiled code follows indices without looking where they lead.
_UNCHECKED = ("BallTree", "BallTree32", "KDTree", "KDTree32", "TreePredictor")
_MOST_ROWS = 1 << 24  # of a sparse matrix that does not list its rows, and of features of a row
_MADE = ("n_output_features_", "_n_out_full")  # features that a transformer makes of a few
_REVISION = re.compile(r"(?!.*\.\.)[\w.][\w./-]{0,254}", re.ASCII)
_ESCAPED, _SET, _FLAGS = r"\\[^0-9]", r"\[\^?\]?[^\]]*\]", r"\(\?[aiLmsu]+\)"
_FACTORY = re.compile(
    r"(?:(?:PCA|OPQ)[0-9]{1,3}(?:_[0-9]{1,4})?,)?"
    r"(?:(?:IVF[0-9]{1,5}(?:_HNSW[1-6]?[0-9])?,)?(?:Flat|SQ[468]|SQfp16|PQ[0-9]{1,3}(?:x[48])?)"
    r"|HNSW[1-6]?[0-9](?:,Flat|,SQ8)?)"
)
_SEARCH = re.compile(r"(?:nprobe|efSearch|quantizer_efSearch)=[0-9]{1,5}")
_MACHINES = (SVC, NuSVC, SVR, NuSVR, OneClassSVM)
_FORESTS = (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
_REPEATED, _OPTIONAL = re.compile(r"[*+{]"), re.compile(r"(?<![*+?])\?")
_MOST_OPTIONAL = 4  # parts that may be there or not; each may double the time
_REPORTS = ("AdaptationReport", "AlignmentReport", "ClassifierReport", "ViewReport")


@dataclass
class Policy:
    """Policy of one load, the same for JSON and skops: it looks at the objects that were built.

    Attributes
    ----------
    saved : Bundle
        The folder, for messages.
    kind : str
        Name of the class that was saved, for messages.
    allow : tuple of str
        Paths, addresses and names of keys that the caller allows.
    passed : dict
        Encoders of the caller by the name of the parameter; they replace those that a file may
        not choose.
    used : set of str
        Names of the parameters whose object replaced one.
    """

    saved: Bundle
    kind: str
    allow: tuple[str, ...]
    passed: dict[str, Any]
    used: set[str] = field(default_factory=set)

    def apply(self, model: Any) -> None:
        """Replace or refuse whatever a file must not decide.

        Raises
        ------
        ValueError
            If the model would run code of others, open a folder, or send texts somewhere, and the
            caller did not allow it; or if it holds numbers or objects that `save` never writes.
        """
        mine = self._mine()
        try:
            _nested_parts(model, mine, {}, 0)
        except _Unsound as error:
            raise self.saved.damaged from error
        of_views = model.get("aligner") if isinstance(model, dict) else None
        for i, view in enumerate(of_views if isinstance(of_views, list) else ()):
            self._replace_encoders(view, i)
        for one in _reachable(model, mine):
            self._replace_encoders(one)
        objects = [*_reachable(model, mine)]  # without those that were replaced
        try:
            for one in objects:
                _check_type(one)
                _check_attributes(one)
                _check_numbers(one)
                _check_indices(one)
        except Exception as error:  # values of wrong types and sizes raise errors of all kinds
            raise self.saved.damaged from error
        self._refuse_code(objects)
        claims = {claim.value: claim for one in objects for claim in _claims(one, mine)}
        if isinstance(model, dict):
            index = self.saved.fields["index"] or {}
            for claim in _claims_of_index(model.get("params"), index.get("n_documents")):
                claims[claim.value] = claim
        refused = [claim for claim in claims.values() if not self._allows(claim.value)]
        if refused:
            raise self._asking(refused)
        for one in objects:
            _limit_jobs(one)
            _keep_to_hub(one, mine, self._allows)
        left_out = [path for one in objects for path in self._without_paths(one)]
        if left_out:
            warn_user(
                f"The {self.kind} in {str(self.saved.folder)!r} names {left_out[0]!r} as a place to "
                "read or write, which is left out: set it by set_params, or pass "
                f"load(..., allow={sorted({*left_out})!r}) if you trust whoever saved the model."
            )

    def _mine(self) -> set[int]:
        """Identities of the objects of the caller, which may be and do anything."""
        out = set()
        for value in self.passed.values():
            several = isinstance(value, list | tuple)
            out |= {id(one) for one in ([value, *value] if several else [value])}
        return out

    def _allows(self, value: str) -> bool:
        if value in self.allow:
            return True
        try:
            path = Path(value).expanduser().resolve()
            return any(Path(one).expanduser().resolve() == path for one in self.allow)
        except (OSError, RuntimeError, ValueError):
            return False

    def _replace_encoders(self, holder: Any, view: int | None = None) -> None:
        """Put the encoders of the caller in the place of those that a file may not choose."""
        if not _has_encoders(holder):
            return
        for name in _ENCODERS:
            mine, value = self.passed.get(name), getattr(holder, name, None)
            if view is not None and isinstance(mine, list | tuple):
                mine = mine[view] if view < len(mine) else None
                if mine is not None and self._must_not_choose(value):
                    setattr(holder, name, mine)
                    self.used |= {name, f"{view}.{name}"}
                continue
            if mine is None or isinstance(mine, list | tuple) or value is mine:
                continue
            if isinstance(value, list | tuple):
                kept = [mine if self._must_not_choose(one) else one for one in value]
                if any(one is mine for one in kept):
                    setattr(holder, name, type(value)(kept))
                    self.used.add(name)
            elif self._must_not_choose(value):
                setattr(holder, name, mine)
                self.used.add(name)

    def _must_not_choose(self, encoder: Any) -> bool:
        named = [*_claims_of_encoder(encoder)]
        code = getattr(encoder, "trust_remote_code", False) is not False
        return code or not all(self._allows(claim.value) for claim in named)

    def _refuse_code(self, objects: list[Any]) -> None:
        for one in objects:
            if (
                isinstance(one, TextEncoder)
                and getattr(one, "trust_remote_code", False) is not False
            ):
                raise ValueError(
                    f"The {self.kind} in {str(self.saved.folder)!r} has an encoder with "
                    f"trust_remote_code=True, which runs code of {one.name!r}. If you trust that code, "
                    "pass the encoder yourself, as load(..., encoder=)."
                )

    def _asking(self, refused: list[_Claim]) -> ValueError:
        would = " and ".join(claim.would for claim in refused)
        values = [claim.value for claim in refused]
        own = "; or use an encoder of your own, by load(..., encoder=)"
        return ValueError(
            f"The {self.kind} in {str(self.saved.folder)!r} would {would}. If you trust whoever saved "
            f"it, pass load(..., allow={values!r}){own if any(c.of_encoder for c in refused) else ''}."
        )

    def _without_paths(self, one: Any) -> Iterator[str]:
        """Paths that a later fit or call would read or write, after they were taken out."""
        if isinstance(one, TextEncoder):
            yield from self._unset(one, "cache", "memory", ("memory",))
        elif isinstance(one, AdapterAligner):
            yield from self._unset(one, "checkpoint", None)
        elif isinstance(one, CrossLingualAligner):
            yield from self._unset(one, "corpus", None, CORPORA)
            params = one.adapter_params if isinstance(one.adapter_params, dict) else {}
            path = params.get("checkpoint")
            if path is not None and not self._allows(str(path)):
                one.adapter_params = {**params, "checkpoint": None}
                yield str(path)
        elif isinstance(one, BaseEstimator):
            yield from self._unset(one, "memory", None)

    def _unset(self, one: Any, name: str, default: Any, known: Iterable[str] = ()) -> Iterator[str]:
        value = vars(one).get(name)
        if value is None or value in known or self._allows(str(value)):
            return
        setattr(one, name, default)
        yield str(value)


class _Unsound(ValueError):
    """Error about an object that `save` never writes."""


@dataclass(frozen=True)
class _Claim:
    """Something that a loaded model would do, and the word that allows it."""

    value: str
    would: str
    of_encoder: bool = False


def _reachable(root: Any, left_out: set[int]) -> Iterator[Any]:
    """An object and all objects in it, each of them once; those of the caller are left out."""
    seen, stack = set(left_out), [root]
    kept = []  # an id is of one object as long as that object lives
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        kept.append(one)
        yield one
        if isinstance(one, dict):
            stack += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            stack += one
        elif isinstance(one, np.ndarray) and one.dtype == object:
            stack += one.ravel().tolist()
        elif not isinstance(one, type):
            stack += getattr(one, "__dict__", {}).values()


def _nested_parts(one: Any, mine: set[int], known: dict[int, int], level: int) -> int:
    """Number of estimators in an object, each as often as scikit-learn asks it for its tags.

    A Pipeline asks a step up to three times, and a FeatureUnion twice: one in the other multiplies.
    """
    if isinstance(one, dict):
        parts = [*one.values()]
    elif isinstance(one, list | tuple):
        parts = [*one]
    elif isinstance(one, np.ndarray) and one.dtype == object:
        parts = one.ravel().tolist()
    elif isinstance(one, BaseEstimator) and id(one) not in mine:
        parts = [*vars(one).values()]
    else:
        return 0
    if id(one) in known:
        return known[id(one)]
    if level > _MOST_LEVELS:  # or an object that is in itself
        raise _Unsound("too many estimators in one another")
    n = sum(_nested_parts(part, mine, known, level + 1) for part in parts)
    n = n * (3 if isinstance(one, Pipeline | FeatureUnion) else 1) + isinstance(one, BaseEstimator)
    if n > _MOST_PARTS:
        raise _Unsound("too many estimators in one another")
    known[id(one)] = n
    return n


def _has_encoders(one: Any) -> bool:
    own = type(one).__module__.startswith("langalign_sk.")
    return own and isinstance(one, BaseEstimator) and not isinstance(one, TextEncoder)


def _claims(one: Any, mine: set[int]) -> Iterator[_Claim]:
    """What an object would do beyond computing."""
    if isinstance(one, TextEncoder):
        yield from _claims_of_encoder(one)
    elif _has_encoders(one):
        for name in _ENCODERS:
            value = vars(one).get(name)
            for encoder in value if isinstance(value, list | tuple) else [value]:
                if id(encoder) not in mine:
                    yield from _claims_of_encoder(encoder)
    elif isinstance(one, BaseEstimator):
        source = vars(one).get("input", "content")
        if source != "content":
            yield _Claim(str(source), f"open the files that its input names (input={source!r})")
        yield from _claims_of_time(one)


def _claims_of_index(params: Any, n_documents: Any) -> Iterator[_Claim]:
    """What an index, which FAISS builds as the file says, would take."""
    if not isinstance(params, dict) or params.get("backend") != "faiss":
        return
    given = params.get("backend_params")
    given = given if isinstance(given, dict) else {}
    factory, search = (str(given.get(name, "")) for name in ("factory", "search"))
    cells = re.match(r"IVF([0-9]{1,5})[,_]", factory)
    most = 16 * math.sqrt(n_documents) if type(n_documents) is int and n_documents > 0 else 0
    plain = not factory or _FACTORY.fullmatch(factory) is not None
    if not plain or (cells is not None and int(cells[1]) > most):
        would = f"let FAISS build the index {factory!r}, which may take very long and much memory"
        yield _Claim("faiss", would)
    elif search and _SEARCH.fullmatch(search) is None:
        yield _Claim("faiss", f"let FAISS search with {search!r}, which may take much memory")


def _claims_of_time(one: BaseEstimator) -> Iterator[_Claim]:
    """What may take a transformer of text very long."""
    pattern = vars(one).get("token_pattern")
    if pattern is not None and not _is_quick(pattern):
        would = f"search your texts for the pattern {pattern!r}, which may take very long"
        yield _Claim(str(pattern), would)
    lengths = vars(one).get("ngram_range", (1, 1))
    if not (
        isinstance(lengths, list | tuple)
        and len(lengths) == 2
        and all(type(n) is int and 0 < n <= _LONGEST_NGRAM for n in lengths)
    ):
        would = f"split your texts into n-grams of ngram_range={lengths!r}"
        yield _Claim(f"ngram_range={lengths!r}", would)


def _is_quick(pattern: Any) -> bool:
    """Whether a pattern has no groups and, in every alternative, little that is repeated or optional.

    One repetition takes at most the square of the length of a text, and other patterns may take any
    time. A verbose pattern has comments, which look like alternatives.
    """
    if not isinstance(pattern, str):
        return False
    plain = re.sub(_SET, "x", re.sub(_ESCAPED, "x", re.sub(_FLAGS, "", pattern)))
    if any(sign in plain for sign in "()\\"):
        return False
    parts = plain.split("|")
    repeated, optional = (
        max(len(sign.findall(part)) for part in parts) for sign in (_REPEATED, _OPTIONAL)
    )
    return repeated <= 1 and optional <= _MOST_OPTIONAL


def _limit_jobs(one: Any) -> None:
    """Let an estimator start no more threads or processes than there are processors."""
    n_jobs = vars(one).get("n_jobs") if isinstance(one, BaseEstimator) else None
    if isinstance(n_jobs, int) and n_jobs > (os.cpu_count() or 1):
        vars(one)["n_jobs"] = -1


def _keep_to_hub(one: Any, mine: set[int], allows: Callable[[str], bool]) -> None:
    """Let names of encoders that are no folders now be none later either, in this process."""
    named = [one.name] if isinstance(one, SentenceEncoder) else []
    if _has_encoders(one):
        for name in _ENCODERS:
            value = vars(one).get(name)
            named += value if isinstance(value, list | tuple) else [value]
    for name in named:
        if isinstance(name, str) and id(name) not in mine and not allows(name):
            take_from_hub(name)


def _claims_of_encoder(encoder: Any) -> Iterator[_Claim]:
    if isinstance(encoder, EndpointEncoder):
        where, key = encoder.base_url, str(encoder.api_key_env)
        if where is not None:
            yield _Claim(str(where), f"send your texts to {str(where)!r}", of_encoder=True)
        to = "" if where is not None else "your texts to OpenAI's API and "
        would = f"send {to}the content of the environment variable {key!r} along"
        yield _Claim(key, would, of_encoder=True)
        return
    name = encoder.name if isinstance(encoder, SentenceEncoder) else encoder
    if isinstance(name, str) and _is_local(name):
        yield _Claim(name, f"open the encoder in the folder {name!r}", of_encoder=True)


def _is_local(name: str) -> bool:
    """Whether a name of an encoder is, or looks like, a path of this machine."""
    if name in OFFLINE:  # these are taken from their packages, whatever folders there are
        return False
    if name.startswith((".", "~", "/")) or "\\" in name or ":" in name or name.count("/") > 1:
        return True
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return True


def _check_type(one: Any) -> None:
    """Raise for objects that are called, and for settings that are not plain values."""
    if isinstance(one, TextEncoder):
        _check_settings(one)
    elif isinstance(one, type):
        if not (issubclass(one, np.generic) or one in _PLAIN_TYPES):
            raise _Unsound(f"a class, {one.__name__}")
    elif type(one).__name__ in _UNCHECKED and type(one).__module__.startswith("sklearn."):
        raise _Unsound(f"a {type(one).__name__}")
    elif callable(one) and not isinstance(one, np.ufunc | BaseEstimator):
        module = type(one).__module__
        if type(one) not in classes() and not module.startswith(("sklearn.", "scipy.special")):
            raise _Unsound(f"something that is called, {type(one).__name__}")


def _check_attributes(one: Any) -> None:
    """Raise for an attribute that hides a method, or is not one of the class where these are known."""
    own = type(one) in classes()
    if not (own or isinstance(one, BaseEstimator)) or not hasattr(one, "__dict__"):
        return
    for name in vars(one):
        if not isinstance(name, str) or callable(getattr(type(one), name, None)):
            raise _Unsound(f"an attribute {name!r} that hides a method")
    for kind in KINDS:
        if kind.cls is type(one) and "json" in kind.inside and not {*vars(one)} <= kind.attributes:
            raise _Unsound(f"attributes that a {kind.name} does not have")


def _check_settings(encoder: TextEncoder) -> None:
    """Raise unless the parameters of an encoder are plain values, none of which starts much."""
    for name, value in vars(encoder).items():
        parts = value if type(value) in (list, tuple) else [value]
        plain = all(one is None or type(one) in (bool, int, float, str) for one in parts)
        if not plain and name != "_seen":
            raise _Unsound(f"a setting {name} of the type {type(value).__name__}")
        if name == "device" and len(parts) > _MOST_DEVICES:
            raise _Unsound(f"{len(parts)} devices")
        # The hub's client makes paths of it.
        if name == "revision" and value is not None and not _REVISION.fullmatch(str(value)):
            raise _Unsound(f"the revision {value!r}")


def _check_numbers(one: Any) -> None:
    """Raise for arrays with NaN, and for structures whose indices lead out of them."""
    if sparse.issparse(one):
        _check_sparse(one)
    elif isinstance(one, Tree):
        _check_tree(one)
    own = type(one) in classes() and not isinstance(one, Pipeline)
    if type(one).__name__ in _REPORTS or not (own or isinstance(one, BaseEstimator)):
        return
    if not own and get_tags(one).input_tags.allow_nan:
        return
    for name, value in vars(one).items():
        strict = own or name in _FINITE
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, np.ndarray) and part.dtype.kind in "fc":
                bad = ~np.isfinite(part) if strict else np.isnan(part)
                if bad.any():
                    raise _Unsound(f"NaN or infinity in {name}")


def _check_indices(one: Any) -> None:
    """Raise for fitted attributes that compiled code takes as places without looking at them."""
    if not isinstance(one, BaseEstimator):
        return
    _check_vocabulary(one)
    width = vars(one).get("n_features_in_")
    if isinstance(vars(one).get("tree_"), Tree) and one.tree_.n_features != width:
        raise _Unsound("a tree of another width")
    parts = np.ravel(vars(one).get("estimators_", ())).tolist() if isinstance(one, _FORESTS) else []
    if any(getattr(part, "n_features_in_", None) != width for part in parts):
        raise _Unsound("trees of another width")
    if "cluster_centers_" in vars(one) and np.shape(one.cluster_centers_)[1:] != (width,):
        raise _Unsound("centres of another width")
    if any(_is_above(vars(one).get(name), _MOST_ROWS) for name in _MADE):
        raise _Unsound("features of which a row fills the memory")
    if "_fit_X" in vars(one):  # of neighbours
        n = np.shape(vars(one)["_fit_X"])[:1]
        labels = vars(one).get("_y", vars(one)["_fit_X"])
        if (vars(one).get("n_samples_fit_"),) != n or np.shape(labels)[:1] != n:
            raise _Unsound("neighbours that do not fit")
    if isinstance(one, _MACHINES) and "support_" in vars(one):
        _check_svm(one, width)


def _check_vocabulary(one: BaseEstimator) -> None:
    """Raise unless the places of words, and the weights of words, are as many as the words."""
    words, weights = vars(one).get("vocabulary_"), vars(one).get("_tfidf")
    if isinstance(words, dict):
        places = [place for place in words.values() if isinstance(place, int | np.integer)]
        if sorted(places) != [*range(len(words))]:
            raise _Unsound("a vocabulary whose places do not fit")
        if len(getattr(weights, "idf_", places)) != len(places):
            raise _Unsound("weights of other words")
    idf = vars(one).get("idf_") if isinstance(one, TfidfTransformer) else None
    if idf is not None and np.shape(idf) != (vars(one).get("n_features_in_"),):
        raise _Unsound("weights of other words")


def _is_above(value: Any, most: int) -> bool:
    return bool(isinstance(value, int | np.integer) and value > most)


def _check_svm(one: Any, width: Any) -> None:
    """Raise unless the arrays of libsvm are of the sizes that it computes from their counts."""
    state = vars(one)
    counts = np.ravel(state["_n_support"])
    classify = isinstance(one, SVC | NuSVC)
    n_classes = len(one.classes_) if classify else 2
    n, n_pairs = len(one.support_), n_classes * (n_classes - 1) // 2
    shapes: dict[str, tuple[Any, ...]] = {
        "support_": (n,),
        "support_vectors_": (n, width),
        "_dual_coef_": (n_classes - 1, n),
        "_intercept_": (n_pairs,),
    }
    places = np.asarray(one.support_)
    if one.kernel == "precomputed":  # no vectors: places in the rows of a kernel
        del shapes["support_vectors_"]
        if n and not 0 <= places.min() <= places.max() < (width or 0):
            raise _Unsound("support vectors of other rows")
    sound = all(np.shape(state[name]) == shape for name, shape in shapes.items())
    if classify:
        sound = sound and len(counts) == n_classes and counts.sum() == n
    odds = [np.shape(state.get(name, ())) for name in ("_probA", "_probB")]
    known = odds[0] == odds[1] and odds[0] in {(0,), (1,), (n_pairs,)}
    if not (sound and known and (counts >= 0).all()):
        raise _Unsound("support vectors that do not fit")
    for name in ("_gamma", "coef0", "_probA", "_probB", *shapes):
        numbers = state.get(name, 0.0)
        if not np.isfinite(numbers.data if sparse.issparse(numbers) else numbers).all():
            raise _Unsound(f"NaN or infinity in {name}")


def _check_sparse(matrix: Any) -> None:
    try:
        if hasattr(matrix, "check_format"):
            matrix.check_format(full_check=True)
        elif hasattr(matrix, "tocsr"):
            if matrix.shape[0] > _MOST_ROWS:
                raise ValueError("there are too many rows")
            matrix.tocsr().check_format(full_check=True)
    except Exception as error:
        raise _Unsound("a sparse matrix whose indices do not fit") from error


def _check_tree(tree: Any) -> None:
    """Raise unless all children come after their parent and all features exist."""
    n = tree.node_count
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    here = np.arange(n)
    leaf = left == -1
    sound = np.array_equal(leaf, right == -1)
    for children in (left, right):
        inner = children[~leaf]
        sound = sound and bool((inner > here[~leaf]).all() and (inner < n).all())
    used = feature[~leaf]
    if not (sound and n > 0 and (used >= 0).all() and (used < tree.n_features).all()):
        raise _Unsound("a tree whose nodes do not fit")
