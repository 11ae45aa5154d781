"""Saved models on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ._utils.bundle import STEMS, SUFFIXES
from ._utils.files import folder_path
from .encoders.models.hub import failure_of_hub
from .persistence import save
from .persistence._card import CARD, merged, write_card
from .persistence._folder import MANIFEST, load_folder

__all__ = ["from_pretrained", "push_to_hub"]


# Names of the files that `save` writes: other files of a repository are left alone.
_FILES = [
    f"{stem}{number}-{'[0-9a-f]' * n_digits}.{suffix}"
    for stem in STEMS
    for number in ("", "_[0-9]", "_[0-9][0-9]")
    for n_digits in (8, 16)
    for suffix in SUFFIXES
]
_COMMIT = re.compile("[0-9a-f]{40}")


def push_to_hub(
    estimator: Any,
    repo_id: str,
    *,
    revision: str | None = None,
    private: bool = False,
    token: str | None = None,
    commit_message: str = "Save a model of langalign-sk",
) -> str:
    """Save a fitted model to a repository of the Hugging Face Hub, in one commit.

    The commit replaces a model that is in the repository. In its README.md only the generated
    part is replaced, as by :func:`langalign_sk.persistence.save` in a folder.

    Parameters
    ----------
    estimator : fitted estimator
        An estimator that :func:`langalign_sk.persistence.save` takes.
    repo_id : str
        Name of the repository, "owner/name"; created if it does not exist.
    revision : str, default=None
        Branch, created if it does not exist; None is the main branch.
    private : bool, default=False
        Whether a repository that is created by this call is private.
    token : str, default=None
        Access token; None is the token of ``hf auth login``.
    commit_message : str
        Message of the commit.

    Returns
    -------
    str
        The hash of the commit, for ``from_pretrained(repo_id, revision=...)``.

    Raises
    ------
    TypeError
        If the estimator cannot be saved; nothing is sent then.
    ImportError
        If the estimator is a Pipeline or a classifier and skops is not installed.
    ValueError
        If `repo_id` is not a name that the Hub allows.
    OSError
        If the Hub cannot be reached, or refuses the token.

    See Also
    --------
    from_pretrained : Load the model.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner
    >>> from langalign_sk.hub import push_to_hub
    >>> aligner = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
    >>> commit = push_to_hub(aligner, "me/korean-to-english")  # doctest: +SKIP
    """
    from huggingface_hub import HfApi

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "model")
        save(estimator, folder)
        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        if api.file_exists(repo_id, CARD, revision=revision):
            # Not into the cache, where the newest commit would be one without its model.
            there = api.hf_hub_download(repo_id, CARD, revision=revision, local_dir=place)
            card = (folder / CARD).read_text(encoding="utf-8")
            write_card(folder / CARD, merged(Path(there), card))
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=commit_message,
            delete_patterns=_FILES,
        )
    return str(commit.oid)


def from_pretrained(
    repo_id_or_folder: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    local_files_only: bool = False,
    encoder: Any = None,
    english_encoder: Any = None,
    detect: Any = None,
    allow: str | Iterable[str] = (),
) -> Any:
    """Load a model from the Hugging Face Hub, or from a folder.

    If the Hub cannot be reached, files that were downloaded before are taken from the local cache.
    If `revision` is a commit that is in the cache, the Hub is not asked. Loading executes no code
    of the repository, see :func:`langalign_sk.persistence.load`.

    Parameters
    ----------
    repo_id_or_folder : str or path
        A folder that :func:`langalign_sk.persistence.save` wrote, or the name of a repository,
        "owner/name".
    revision : str, default=None
        Branch, tag or commit of the repository; None is the main branch.
    token : str, default=None
        Access token of a private repository; None is the token of ``hf auth login``.
    local_files_only : bool, default=False
        Whether to look into the local cache only.
    encoder, english_encoder, detect : object, default=None
        Objects of your own that the aligner was built with, as
        :func:`~langalign_sk.persistence.load` takes them; they are not in the folder.
    allow : str or iterable of str, default=()
        Paths, addresses and names of keys that the model may use, as
        :func:`~langalign_sk.persistence.load` takes them.

    Returns
    -------
    fitted estimator
        An estimator of the class that was saved.

    Raises
    ------
    FileNotFoundError
        If there is no model in the folder or in the repository.
    ValueError
        If there is no such repository, if it is not in the cache and the Hub cannot be reached, or
        if the model is damaged.
    ImportError
        If the model is a Pipeline or a classifier and skops is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from langalign_sk import CrossLingualAligner, save
    >>> from langalign_sk.hub import from_pretrained
    >>> folder = tempfile.mkdtemp()
    >>> save(CrossLingualAligner("ko", random_state=0).fit(["Good morning."]), folder)
    >>> from_pretrained(folder).transform(["좋은 아침"]).shape
    (1, 512)
    """
    passed = {"encoder": encoder, "english_encoder": english_encoder, "detect": detect}
    folder = folder_path(repo_id_or_folder)
    if folder.is_dir():
        if revision is not None:
            raise ValueError(f"revision= is for repositories, and {str(folder)!r} is a folder.")
        return load_folder(folder, passed, allow)
    snapshot = _snapshot(os.fspath(repo_id_or_folder), revision, token, local_files_only)
    # The cache keeps the files in a folder beside the snapshots, which are links to them.
    return load_folder(snapshot, passed, allow, links_into=snapshot.parents[1] / "blobs")


def _snapshot(repo: str, revision: str | None, token: str | None, local: bool) -> Path:
    """Folder of the files of a repository in the local cache, downloaded if need be."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def fetch(local: bool) -> Path:
        return Path(
            snapshot_download(
                repo,
                revision=revision,
                token=token,
                local_files_only=local,
                allow_patterns=[MANIFEST, *_FILES],
            )
        )

    offline = local or constants.HF_HUB_OFFLINE
    try:
        if offline or _COMMIT.fullmatch(revision or ""):
            return fetch(local=True)
    except HFValidationError as error:
        raise ValueError(_invalid_name(repo)) from error
    except OSError as error:
        if offline:
            why = "local_files_only=True" if local else "HF_HUB_OFFLINE is set"
            raise ValueError(_not_found(repo, revision, why)) from error
    try:
        _check_repository(repo, revision, token)
        return fetch(local=False)
    except HFValidationError as error:
        raise ValueError(_invalid_name(repo)) from error
    except GatedRepoError as error:
        raise ValueError(
            f"{repo!r} is open only to users whom its owner admits: ask for access on its page, and "
            "pass token=."
        ) from error
    except RevisionNotFoundError as error:
        raise ValueError(
            f"{repo!r} has no revision {revision!r}: name a branch or commit."
        ) from error
    except RepositoryNotFoundError as error:
        raise ValueError(
            f"The Hub has no repository {repo!r}, and there is no such folder. Check the name, and "
            "pass token= if it is private."
        ) from error
    except ConnectionError as error:
        unreachable = error
    try:
        return fetch(local=True)
    except OSError:
        why = f"the Hub could not be reached ({unreachable})"
        raise ValueError(_not_found(repo, revision, why)) from unreachable


def _check_repository(repo: str, revision: str | None, token: str | None) -> None:
    """Raise if the Hub cannot be reached, or has no such repository or revision."""
    from huggingface_hub.errors import (
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    failure = failure_of_hub(repo, revision, token)
    if failure is None:
        return
    if isinstance(failure, HFValidationError | RepositoryNotFoundError | RevisionNotFoundError):
        raise failure
    # Releases of the client differ in their errors.
    raise ConnectionError(type(failure).__name__) from failure


def _invalid_name(repo: str) -> str:
    return (
        f"{repo!r} is neither a folder nor a name that the Hub allows. Pass a folder or owner/name."
    )


def _not_found(repo: str, revision: str | None, why: str) -> str:
    from huggingface_hub import constants

    which = repr(repo) if revision is None else f"{repo!r} at {revision!r}"
    return (
        f"{which} is not a folder and not in the local cache {constants.HF_HUB_CACHE!r}, and {why}. "
        "Without a network, pass a folder that langalign_sk.save wrote."
    )
