"""Folders of saved models: the manifest, its checks, and a trial of what was loaded."""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as content_of
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._utils.bundle import Bundle, BundleWriter, DamagedError, checksum
from .._utils.files import as_allowed, folder_path
from .._utils.reread import read_again
from .._utils.stamp import complete_state
from .._version import __version__
from ..aligner._frozen import thawed
from ..encoders.base import TextEncoder
from ..retrieval import CrossLingualRetriever
from ..retrieval.index_folder import IndexContents, index_within, write_files
from ..retrieval.retriever import index_contents, open_files
from ._card import CARD, merged, model_card, write_card
from ._codec import decode, encode
from ._kinds import OWN_OBJECTS, Kind, kind_named, kind_of
from ._policy import Policy
from ._skops import dumped, read_dumped
from ._trial import try_out

__all__ = ["load", "save"]


MANIFEST = "langalign_sk.json"
_VERSIONS = (1, 2, 3)
_CHECKED = ("kind", "given", "estimator", "index")
_NEEDED = {
    "kind": str,
    "sha256": str,
    "given": list,
    "estimator": dict | None,
    "index": dict | None,
}


def save(estimator: Any, folder: str | os.PathLike[str]) -> None:
    """Save a fitted model to a folder; loading it executes no code.

    The folder holds a manifest (JSON, with a format version and the checksums of all files), the
    arrays (safetensors) and a model card (README.md). Encoders are saved as handles, by name and
    revision. A model that is already in the folder stays complete until the new one is complete,
    and text that was added to README.md by hand is kept.

    Parameters
    ----------
    estimator : fitted estimator
        A CrossLingualAligner, LinearAligner, AdapterAligner or CrossLingualRetriever; with skops
        (the extra "skops"), a CrossLingualClassifier, an AlignedClassifier or a whole Pipeline too.
    folder : path
        Created if it does not exist.

    Raises
    ------
    TypeError
        If the estimator is of another class, also of another package's by the same name, or holds
        something that cannot be saved; the message names it, and what of it can be saved.
    ImportError
        If the estimator is a Pipeline or a classifier and skops is not installed.

    See Also
    --------
    load : Load the model.

    Notes
    -----
    An encoder that is an object of your own or runs code of its repository
    (``trust_remote_code=True``), and a `detect` function, are not saved: pass them to `load`. The
    state of an unfinished training (`partial_fit`) is not saved either: keep the estimator
    itself, or a `checkpoint`. A Pipeline or a classifier is saved by skops with everything
    in it, objects of your own too, but `load` refuses types that neither skops nor this package
    trusts.

    The generated part of README.md stands between two comments, ``<!-- langalign_sk: begin -->``
    and ``<!-- langalign_sk: end -->``. Saving again replaces that part, and the languages in the
    front matter unless they were changed by hand. A README.md without the comments gets the
    generated part at its end.

    Examples
    --------
    >>> import tempfile
    >>> from langalign_sk import CrossLingualAligner, load, save
    >>> aligner = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
    >>> folder = tempfile.mkdtemp()
    >>> save(aligner, folder)
    >>> again = load(folder)
    >>> bool((again.transform(["좋은 아침"]) == aligner.transform(["좋은 아침"])).all())
    True
    """
    kind = kind_of(estimator)
    check_is_fitted(estimator)
    if kind.writer == "index":
        estimator = copy.copy(estimator)  # another thread may add documents meanwhile
    folder = folder_path(folder)
    readme = folder / CARD
    index = index_contents(estimator) if kind.writer == "index" else None
    fields: dict[str, Any] = {"kind": kind.name, "given": [], "estimator": None, "index": None}
    # Whatever depends on the estimator can fail, and comes before the folder is touched.
    card = merged(readme, model_card(estimator))
    if kind.writer == "skops":
        content = dumped(estimator)
    elif kind.writer == "index":
        tree = {"params": _params(estimator), "aligner": _thawed_all(estimator.aligner_)}
        fields["given"], fields["estimator"], content = _encoded(tree)
    else:
        fields["given"], fields["estimator"], content = _encoded(estimator)
    with BundleWriter(folder, MANIFEST) as new:
        new.write(*_file_of(kind), [content])
        if index is not None:
            fields["index"] = write_files(new, index)
        new.fields = {
            "format": "langalign_sk model",
            "format_version": _version(estimator, index),
            "written_by": {
                "langalign_sk": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            **fields,
            "sha256": checksum(fields),
        }
        new.write_beside(partial(write_card, readme, card))


def load(
    folder: str | os.PathLike[str],
    *,
    encoder: Any = None,
    english_encoder: Any = None,
    detect: Any = None,
    allow: str | Iterable[str] = (),
) -> Any:
    """Load a model that `save` wrote.

    Every file is compared with its checksum, only classes of this package (and, in a Pipeline or
    a classifier, types that skops trusts) are built, and no file outside the folder is
    read. Nothing in the folder decides that code runs, that a folder of this machine is opened, or
    where texts are sent: such models are refused until you allow it, see :doc:`/security`.

    Parameters
    ----------
    folder : path
        The folder.
    encoder, english_encoder, detect : object, default=None
        Objects of your own that the aligner was built with; they are not in the folder. For a
        retriever of several views, a list of one per view, with None for views that were built
        without one, or a single object for all views that were built with one. An encoder, also one
        in a list, takes the place of one that the folder must not choose too: a folder of this
        machine, an endpoint, or one with ``trust_remote_code=True``.
    allow : str or iterable of str, default=()
        What the model may use besides its own files: folders of encoders, addresses of endpoints and
        names of the environment variables with their keys, paths of caches, checkpoints and
        corpora, slow patterns of words, and "faiss" for its files. An error or a warning lists what
        a model asks for. Allow it only if you trust whoever saved the model.

    Returns
    -------
    fitted estimator
        An estimator of the class that was saved: CrossLingualAligner, LinearAligner, AdapterAligner,
        CrossLingualRetriever, CrossLingualClassifier, AlignedClassifier or Pipeline.

    Raises
    ------
    FileNotFoundError
        If there is no model in the folder.
    ValueError
        If the model is damaged or of another format version, if it was built with other
        objects than those passed, or if it asks for what `allow` does not name.
    ImportError
        If the model is a Pipeline or a classifier and skops is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from langalign_sk import LinearAligner, load, save
    >>> Y = np.random.default_rng(0).normal(size=(50, 4))
    >>> folder = tempfile.mkdtemp()
    >>> save(LinearAligner("procrustes").fit(Y[:, ::-1], Y), folder)
    >>> np.allclose(load(folder).transform(Y[:, ::-1]), Y)
    True
    """
    passed = {"encoder": encoder, "english_encoder": english_encoder, "detect": detect}
    folder = folder_path(folder)
    return read_again(folder / MANIFEST, lambda: load_folder(folder, passed, allow))


def load_folder(
    folder: Path, passed: dict[str, Any], allow: Any = (), links_into: Path | None = None
) -> Any:
    """Model in a folder, as `load` returns it.

    Parameters
    ----------
    folder : Path
        The folder.
    passed : dict
        Objects by the name of the parameter; None where nothing was passed.
    allow : str or iterable of str, default=()
        As in `load`.
    links_into : Path, default=None
        Folder into which links in `folder` may lead, see `Bundle`.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        As `load`.
    """
    allowed = as_allowed(allow)
    saved = Bundle(
        folder,
        MANIFEST,
        versions=_VERSIONS,
        what="model, which langalign_sk.save makes",
        needed=_NEEDED,
        files=[],
        links_into=links_into,
    )
    fields = saved.fields
    try:
        sound = checksum({name: fields[name] for name in _CHECKED}) == fields["sha256"]
        kind = kind_named(fields["kind"])
    except (KeyError, RecursionError):
        raise saved.damaged from None
    if not sound or not all(isinstance(name, str) for name in fields["given"]):
        raise saved.damaged
    objects, unasked = _passed_by_place(saved, passed)
    content, _ = _file_of(kind)
    if content not in saved.files:
        raise saved.damaged
    policy = Policy(saved, kind.name, allowed, passed)
    if kind.writer == "skops":
        out = read_dumped(saved, kind, saved.content(content))
        policy.apply(out)
    else:
        out = _decoded(saved, _arrays(saved, content), objects)
        policy.apply(out)
    _check_lists(saved, passed, policy.used)
    useless = [name for name in unasked if name not in policy.used]
    if useless:
        raise _unasked(saved, useless[0])
    return _whole(saved, kind, out, allowed)


def _whole(saved: Bundle, kind: Kind, out: Any, allowed: tuple[str, ...]) -> Any:
    """Model of what the policy let pass, once every method of it was tried."""
    try:
        if kind.writer == "index":
            return _retriever(saved, out, allowed)
        if type(out) is not kind.cls:
            raise TypeError(f"a {type(out).__name__} in place of a {kind.name}")
        try_out(out)
    except (DamagedError, ImportError):
        raise
    except Exception as error:  # values of wrong types and sizes raise errors of all kinds
        raise saved.damaged from error
    return out


def _decoded(saved: Bundle, arrays: dict[str, NDArray], objects: dict[str, Any]) -> Any:
    try:
        return decode(saved.fields["estimator"], arrays, objects)
    except Exception as error:
        raise saved.damaged from error


def _arrays(saved: Bundle, name: str) -> dict[str, NDArray]:
    content = saved.content(name)
    try:
        return arrays_of(content)
    except Exception as error:
        raise saved.damaged from error


def _file_of(kind: Kind) -> tuple[str, str]:
    """Name and suffix of the file that holds an estimator."""
    return ("model", "skops") if kind.writer == "skops" else ("arrays", "safetensors")


def _passed_by_place(saved: Bundle, passed: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Objects that were not saved, by their place in the tree, and names that no place asks for.

    Raises
    ------
    ValueError
        Unless these are passed.
    """
    folder, given = str(saved.folder), saved.fields["given"]
    places = [name.rpartition(".") for name in given]
    if not all(name in OWN_OBJECTS and (not i or i.isdecimal()) for i, _, name in places):
        raise saved.damaged
    wanted = {name for _, _, name in places}
    unasked = [name for name in passed if passed[name] is not None and name not in wanted]
    out = {}
    for i, _, name in places:
        value = passed.get(name)
        if i and isinstance(value, list | tuple):
            value = value[int(i)] if int(i) < len(value) else None
        if value is None:
            of_view = f" of view {i}" if i else ""
            how = ", one for all views or a list of one per view" if i else ""
            raise ValueError(
                f"The model in {folder!r} was built with an object as {name}{of_view}, which is not "
                f"saved: pass load(..., {name}=){how}."
            )
        place = f"{i}.{name}" if i else name
        # That of an aligner is its own, or in a retriever.
        out[place] = out[f"aligner.{place}"] = value
    return out, unasked


def _unasked(saved: Bundle, name: str) -> ValueError:
    return ValueError(
        f"The model in {str(saved.folder)!r} was not built with an object as {name}: leave {name}= "
        "out, and use set_params to change it."
    )


def _check_lists(saved: Bundle, passed: dict[str, Any], used: set[str]) -> None:
    """Raise ValueError for an object in a list that its view neither was built with nor uses."""
    for name, value in passed.items():
        if not isinstance(value, list | tuple):
            continue
        for i, one in enumerate(value):
            if one is not None and f"{i}.{name}" not in {*saved.fields["given"], *used}:
                raise ValueError(
                    f"View {i} of the model in {str(saved.folder)!r} was not built with an object as "
                    f"{name}: put None in its place in the list."
                )


def _encoded(value: Any) -> tuple[list[str], Any, bytes]:
    """Names of the parameters that are not saved, the tree, and the content of the array file."""
    arrays: dict[str, NDArray] = {}
    given = _objects(value)
    tree = encode(value, arrays, given)
    return sorted(place.removeprefix("aligner.") for place in given), tree, content_of(arrays)


def _objects(estimator: Any) -> dict[str, Any]:
    """Objects of the user's own among the parameters, by their place in the tree."""
    holders = {"": estimator}
    if isinstance(estimator, dict):
        aligner = estimator["aligner"]
        holders = {"aligner.": aligner}
        if isinstance(aligner, list):
            holders = {f"aligner.{i}.": one for i, one in enumerate(aligner)}
    out = {}
    for place, holder in holders.items():
        for name in OWN_OBJECTS:
            value = getattr(holder, name, None)
            plain = value is None or isinstance(value, str | os.PathLike | TextEncoder)
            # Whoever loads the model decides whether the code of a repository runs.
            if not plain or getattr(value, "trust_remote_code", False):
                out[place + name] = value
    return out


def _thawed_all(aligner: Any) -> Any:
    """Aligner without its FrozenEstimator, or the list of those of all views."""
    if isinstance(aligner, list):
        return [thawed(one) for one in aligner]
    return thawed(aligner)


def _params(retriever: Any) -> dict[str, Any]:
    """Parameters that are saved as values; the aligner is saved as an estimator.

    Later parameters at their defaults are left out, for releases that do not know them.
    """
    later = complete_state(CrossLingualRetriever, {})
    return {
        name: value
        for name, value in retriever.get_params(deep=False).items()
        if name != "aligner"
        and not (name in later and type(value) is type(later[name]) and value == later[name])
    }


def _version(estimator: Any, index: IndexContents | None) -> int:
    """Least format version that holds an estimator."""
    if index is None:
        return 1
    later = {*complete_state(CrossLingualRetriever, {})} & {*_params(estimator)}
    several = isinstance(estimator.aligner_, list)
    least = 2 if later or several or estimator.scoring == "auto" else 1
    return max(least, index.version)


def _retriever(saved: Bundle, tree: dict[str, Any], allowed: tuple[str, ...]) -> Any:
    """Retriever of the saved parameters and aligners, with its index."""
    aligner = tree["aligner"]
    several = isinstance(aligner, list)
    frozen = []
    for one in aligner if several else [aligner]:
        if one is not None:
            try_out(one)
        frozen.append(one if one is None else FrozenEstimator(one))
    retriever = CrossLingualRetriever(frozen if several else frozen[0], **tree["params"])
    open_files(retriever, index_within(saved, "index"), verify=True, trusted=allowed)
    try_out(retriever)
    return retriever
