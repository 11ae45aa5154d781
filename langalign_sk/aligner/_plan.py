"""What a fit is about to do, checked before any text is encoded."""

from __future__ import annotations

import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .._utils.containers import label_column
from .._utils.idle import say_idle
from .._utils.normalization import check_form
from .._utils.validation import check_choice, check_number, warn_user
from ..corpus._inputs import (
    Embeddings,
    Pairs,
    Sides,
    Text,
    check_pairs_y,
    opened_parallel,
    pairs_from,
    sentences_as_y_error,
)
from ..corpus._labels import looks_like_translations
from ..encoders.base import expect_model
from ..encoders.objects import Encoder
from ..languages import LanguageRouter
from ..languages.codes import languages_of
from ..languages.router import ON_UNKNOWN
from ..mapping import AdapterAligner
from ..mapping._base import check_counterparts
from ..mapping.adapter import check_adapter_parameters
from ..mapping.candidates import METHODS, OBJECTIVES, linear_candidates
from ..mapping.settings import ARCHITECTURES
from ._idle import Situation, idle_settings
from ._pairs import notes_on_scripts, pairs_of_corpus
from ._route import MISSING, encoders_of, read_rows, router_of
from ._tuning import note_fit

__all__ = ["ADAPTERS", "MIN_BRIDGE_ROWS", "Plan", "check_parameters", "plan_fit"]

FLOATS = [np.float64, np.float32]
ADAPTERS = tuple(ARCHITECTURES)
# With fewer pairs, adapters find no more held-out translations than closed forms do
# (`python -m benchmarks grid`).
MIN_ADAPTER_PAIRS = 2_000
MIN_BRIDGE_ROWS = 20
FEW_BRIDGE_ROWS = 200


@dataclass(frozen=True)
class Plan:
    """Checked input and settings of one fit of a CrossLingualAligner.

    Attributes
    ----------
    languages : tuple of str
        The declared languages.
    source, system : Encoder
        The multilingual encoder and the English system's; one object if they are the same.
    pairs : dict of str to (list of str, list of str)
        Target and English sentences by language; languages without pairs are left out.
    task : dict of str to list of str
        Task text by language, "en" among them.
    embeddings : (ndarray, ndarray) or None
        Rows of one language and those of their English translations, in place of text.
    notes : tuple of str
        What the report says about the input.
    normalize : {"auto", "html", "NFC", "NFKC"} or None
        Form in which text is compared.
    rows : tuple of str
        Task text in its order, which messages count by.
    shared : bool
        Whether both sides move into a shared space.
    objective : {"auto", "retrieval", "head"}
        What "auto" and grids choose by; "auto" stands for retrieval.
    adapter : dict
        Parameters of AdapterAligner.
    seed : int
        Of every draw in the fit.
    seeded : bool
        Whether the seed is an int of the user's, so that another fit draws the same.
    """

    languages: tuple[str, ...]
    source: Encoder
    system: Encoder
    method: str
    alpha: Any
    bridge_method: str
    bridge_alpha: float
    shared: bool
    objective: str
    adapter: dict[str, Any]
    time_budget: float | None
    seed: int
    seeded: bool
    pairs: dict[str, Sides] = field(default_factory=dict)
    task: dict[str, list[str]] = field(default_factory=lambda: {"en": []})
    embeddings: tuple[NDArray, NDArray] | None = None
    notes: tuple[str, ...] = ()
    normalize: str | None = None
    rows: tuple[str, ...] = ()

    @property
    def for_head(self) -> bool:
        """Whether language maps are chosen for a model of English rows, and not for search."""
        return self.objective == "head"

    @property
    def bridged(self) -> bool:
        """Whether there is another English encoder that target rows have to be moved to."""
        return self.system is not self.source and not self.shared and self.embeddings is None

    def tries_adapters(self, n_pairs: int) -> bool:
        """Whether "auto" trains adapters on so many pairs, and compares them with closed forms."""
        asked = self.method == "auto" and not self.for_head and self.time_budget != 0
        return asked and n_pairs >= MIN_ADAPTER_PAIRS

    @property
    def english_of_pairs(self) -> list[str]:
        """English sides of all pairs."""
        return [text for _, english in self.pairs.values() for text in english]

    def adapter_for(self, loss: str, place: str) -> AdapterAligner:
        """Unfitted adapter for a language or the bridge, with a checkpoint folder of its own."""
        parameters = dict(self.adapter)
        folder = parameters.get("checkpoint")
        if folder is not None:
            parameters["checkpoint"] = os.path.join(folder, place)
        if self.objective != "auto" and place != "bridge":
            parameters = {"objective": self.objective, **parameters}
        parameters = {"random_state": self.seed, **parameters}
        return AdapterAligner(loss, shared=self.shared and place != "bridge", **parameters)


def plan_fit(aligner: Any, X: Any, y: Any, parallel: Any) -> Plan:
    """Check the parameters and the input of a fit, and load the encoders.

    Parameters
    ----------
    aligner : CrossLingualAligner
        Whose parameters count.
    X, y, parallel
        As in `fit`.

    Returns
    -------
    Plan
        Nothing has been encoded.

    Raises
    ------
    ValueError
        For whatever `fit` refuses.
    """
    check_parameters(aligner)
    data = read_rows(aligner, X)
    if isinstance(data, Embeddings):
        return _plan_of_embeddings(aligner, data.rows, y, parallel)
    y, parallel = label_column(y), opened_parallel(parallel)
    router = router_of(aligner)
    task: dict[str, list[str]] = {"en": []}
    if isinstance(data, Pairs):
        check_pairs_y(y)
        if parallel is not None:
            raise ValueError("X holds pairs already: pass parallel= with task text only.")
        pairs = data.by_language()
    else:
        if not data.rows:
            raise ValueError("X has no rows: pass at least one text, or translation pairs.")
        codes = router(data.rows)
        note_fit(aligner, codes)
        pairs = _pairs_beside_text(aligner, y, parallel, router, data.rows, codes)
        for text, code in zip(data.rows, codes, strict=True):
            task.setdefault(code, []).append(text)
    given = isinstance(data, Pairs) or parallel is not None
    source, system = encoders_of(aligner)
    rows = tuple(data.rows) if isinstance(data, Text) else ()
    draft = Plan(**_settings(aligner, source, system), pairs=pairs, task=task, rows=rows)
    missing = _check_pairs(draft, given)
    few = (*notes_on_scripts(pairs), *_check_bridge(draft))
    for encoder in (source, system):
        expect_model(encoder, None)  # a fit may meet another model than the last one
        encoder.load()
    # `corpus=None` asks for no pairs: the report notes their absence, and nothing warns of it.
    for note in (*(missing if given or aligner.corpus is not None else ()), *few):
        warn_user(note)
    return _with_idle_settings(aligner, draft, (*missing, *few), given)


def _plan_of_embeddings(aligner: Any, X: Any, y: Any, parallel: Any) -> Plan:
    if np.ndim(X) > 1 and not np.shape(X)[0]:
        raise ValueError(f"X has no rows (shape={np.shape(X)}): pass pairs to learn from.")
    if y is None:
        raise ValueError(
            f"{type(aligner).__name__} requires y to be passed, but the target y is None. For "
            "embeddings X, y holds the 2-d English embeddings of the same rows."
        )
    if parallel is not None:
        raise ValueError("parallel= goes with text. For embeddings X, pass English ones as y.")
    if len(languages_of(aligner.target_lang)) > 1:
        raise ValueError(
            "Embeddings carry no script to tell languages by: fit one aligner per language."
        )
    X = validate_data(aligner, X, dtype=FLOATS, ensure_min_samples=2)
    Y = check_counterparts(X, y)
    draft = Plan(**_settings(aligner, *encoders_of(aligner)), embeddings=(X, Y))
    return _with_idle_settings(aligner, draft, (), True)


def _with_idle_settings(aligner: Any, draft: Plan, notes: tuple[str, ...], given: bool) -> Plan:
    """The plan with all its notes; parameters without effect are warned of once a search."""
    if draft.embeddings is not None:
        sizes = [len(draft.embeddings[0])]
    else:
        sizes = [len(target) for target, _ in draft.pairs.values()]
    found = idle_settings(
        Situation(
            aligner,
            given=given,
            learns=bool(sizes),
            one_encoder=draft.system is draft.source,
            bridged=draft.bridged,
            enough=any(size >= MIN_ADAPTER_PAIRS for size in sizes),
        )
    )
    say_idle(aligner, found)
    return Plan(**{**vars(draft), "notes": (*notes, *(idle.message for idle in found))})


def _pairs_beside_text(
    aligner: Any,
    y: Any,
    parallel: Any,
    router: LanguageRouter,
    texts: Sequence[str],
    codes: Sequence[str],
) -> dict[str, Sides]:
    """Pairs that go with task text: those passed to `fit`, or else those of the corpus."""
    if parallel is not None:
        return pairs_from(parallel, router, router.languages)
    if y is not None and looks_like_translations(y, texts, codes):
        raise sentences_as_y_error()
    return pairs_of_corpus(aligner.corpus, router.languages)


def _settings(aligner: Any, source: Encoder, system: Encoder) -> dict[str, Any]:
    adapter = {"device": aligner.device, **(aligner.adapter_params or {})}
    return {
        "languages": languages_of(aligner.target_lang),
        "source": source,
        "system": system,
        "method": aligner.method,
        "alpha": aligner.alpha,
        "bridge_method": aligner.bridge_method,
        "bridge_alpha": aligner.bridge_alpha,
        "shared": aligner.output_space == "shared",
        "objective": aligner.objective,
        "adapter": {"adapter_dim": aligner.adapter_dim, **adapter},
        "time_budget": aligner.time_budget,
        "normalize": aligner.normalize,
        "seed": int(check_random_state(aligner.random_state).randint(2**31 - 1)),
        "seeded": isinstance(aligner.random_state, numbers.Integral),
    }


def check_parameters(aligner: Any) -> None:
    """Raise ValueError for a parameter out of its range."""
    languages = languages_of(aligner.target_lang)
    space, method = aligner.output_space, aligner.method
    check_choice("output_space", space, ("english", "target", "shared"))
    check_choice("method", method, ("auto", *METHODS, *ADAPTERS))
    if space == "shared" and method not in ("auto", "spectral", "contrastive"):
        raise ValueError(
            f'output_space="shared" goes with method="auto", "spectral" or "contrastive", got '
            f"{method!r}."
        )
    if method not in ADAPTERS:
        linear_candidates(method, alpha=aligner.alpha, shared=space == "shared")
    if space != "english" and len(languages) > 1:
        raise ValueError(f"output_space={space!r} needs one target_lang: English rows move too.")
    if space == "target" and aligner.english_encoder is not None:
        raise ValueError(
            'output_space="target" encodes English rows with the multilingual encoder; leave '
            "english_encoder=None. To move vectors of an English system, fit with "
            'output_space="english" and use inverse_transform.'
        )
    check_choice("on_unknown", aligner.on_unknown, ON_UNKNOWN)
    check_choice("objective", aligner.objective, ("auto", *OBJECTIVES))
    if space == "shared" and aligner.objective == "head":
        raise ValueError(
            'objective="head" is for models of English rows, which output_space="shared" moves: leave '
            'output_space="english", or objective="auto".'
        )
    check_choice("bridge_method", aligner.bridge_method, ("spectral", *ADAPTERS))
    check_form(aligner.normalize)
    check_choice("missing", aligner.missing, MISSING)
    if aligner.time_budget is not None:
        expected = "a number of seconds or None"
        check_number("time_budget", aligner.time_budget, numbers.Real, lambda v: v >= 0, expected)
    _check_adapters(aligner)
    strength = aligner.bridge_alpha
    if not isinstance(strength, numbers.Real) or not float(strength) >= 0:
        raise ValueError(f"bridge_alpha must be a non-negative number, got {strength!r}.")


def _check_adapters(aligner: Any) -> None:
    given = aligner.adapter_params
    if given is not None and not isinstance(given, dict):
        raise ValueError(
            f"adapter_params must be a dict of parameters of AdapterAligner, got {given!r}."
        )
    known = {*AdapterAligner().get_params()} - {"loss", "adapter_dim", "shared", "warm_start"}
    unknown = sorted({*(given or {})} - known, key=str)
    if unknown:
        raise ValueError(
            f"adapter_params has {', '.join(map(repr, unknown))}, and knows {sorted(known)}."
        )
    maps = [("contrastive" if aligner.method == "auto" else aligner.method, "language map")]
    maps.append((aligner.bridge_method, "bridge"))
    for loss, place in maps:
        if loss in ADAPTERS:
            shared = aligner.output_space == "shared" and place == "language map"
            adapter = AdapterAligner(
                loss, adapter_dim=aligner.adapter_dim, shared=shared, **(given or {})
            )
            check_adapter_parameters(adapter, square=True)


def _check_pairs(plan: Plan, given: bool) -> tuple[str, ...]:
    """Raise for too few pairs; notes on languages without any."""
    if given and not plan.pairs:
        raise ValueError("No translation pairs were passed: at least 2 are needed.")
    for language, (target, _) in plan.pairs.items():
        if len(target) < 2:
            raise ValueError(
                f"There is only {len(target)} translation pair for {language!r}, and at least 2 are "
                "needed. Pass more, or corpus=None and no pairs at all."
            )
    if plan.shared and not plan.pairs:
        raise ValueError(
            'output_space="shared" is learned from translation pairs, and there are none: pass '
            "parallel=, or name a corpus."
        )
    return tuple(
        f"There are no translation pairs for {language!r}: its language map is the identity, and "
        "nothing can be said about its quality."
        for language in plan.languages
        if language not in plan.pairs
    )


def _check_bridge(plan: Plan) -> tuple[str, ...]:
    """Raise for fewer English rows than a bridge needs; notes on a doubtful number."""
    if not plan.bridged:
        return ()
    n = len({*plan.task["en"], *plan.english_of_pairs})
    if n < MIN_BRIDGE_ROWS:
        raise ValueError(
            f"The bridge to english_encoder learns from English text, and found {n} distinct English "
            f"rows; it needs at least {MIN_BRIDGE_ROWS}, better {FEW_BRIDGE_ROWS}. Put English text "
            "into X (in a Pipeline: the training texts), or pass pairs."
        )
    if n < FEW_BRIDGE_ROWS:
        return (
            f"The bridge to english_encoder has only {n} distinct English rows to learn from; below "
            f"{FEW_BRIDGE_ROWS} accuracy falls.",
        )
    return ()
