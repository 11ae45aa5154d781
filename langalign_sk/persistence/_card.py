"""Model card of a saved folder: a generated part, beside text that was written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from inspect import isroutine
from pathlib import Path
from typing import Any

from .._utils.files import replacing
from .._version import __version__
from ..aligner._frozen import thawed
from ..classifier import AlignedClassifier, CrossLingualClassifier
from ..encoders.objects import object_name
from ..retrieval import CrossLingualRetriever

__all__ = ["CARD", "merged", "model_card", "write_card"]


CARD = "README.md"
_BEGIN, _END = "<!-- langalign_sk: begin -->", "<!-- langalign_sk: end -->"
# Without a marker in between: one that lost its other half must not take handwritten text along.
_PART = re.compile(f"{_BEGIN}(?:(?!{_BEGIN}).)*?{_END}", re.DOTALL)
_TAGS = "tags: [cross-lingual, sentence-embeddings, scikit-learn]\n"
_CARD = """---
library_name: langalign-sk
{tags}license: unknown
---

{begin}
<!-- Saving again replaces the text between these two markers, and keeps the rest of the file. -->

# {kind}

Saved by langalign_sk {version}. Load it with:

```python
from langalign_sk import load

model = load("path/to/this/folder")
```

Fill in the licence at the head of this file. The licences of the encoders, and of the translation
pairs that the model was fitted on, apply to it too.

{facts}{end}
"""


def model_card(estimator: Any) -> str:
    """Model card of a fitted model in Markdown: languages, encoders, held-out retrieval."""
    aligners = [e for e in _within(estimator) if hasattr(e, "alignment_report_")]
    classifier = next((e for e in _within(estimator) if isinstance(e, AlignedClassifier)), None)
    languages = aligners[0].target_lang if aligners else ()
    languages = [languages] if isinstance(languages, str) else list(languages)
    languages += ["en"] if languages else []
    parts = []
    if hasattr(estimator, "n_documents_"):
        parts.append(f"It holds {estimator.n_documents_:,} documents.\n")
    if aligners:
        facts = [f"- languages: {', '.join(languages)}"]
        for i, aligner in enumerate(aligners):
            of_view = f" of view {i}" if len(aligners) > 1 else ""
            facts += [f"- {name}{of_view}: {fact}" for name, fact in _facts(aligner).items()]
        parts.append("\n".join(facts) + "\n")
    if classifier is not None:
        parts.append(_calibration(classifier))
    viewing = next((e for e in _within(estimator) if isinstance(e, CrossLingualClassifier)), None)
    if viewing is not None:
        parts.append(f"## Views, on held-out labelled rows\n\n```text\n{viewing.report_}\n```\n")
    if isinstance(estimator, CrossLingualRetriever) and len(estimator.report_.views) > 1:
        parts.append(f"## Views of the search\n\n```text\n{estimator.report_}\n```\n")
    for i, aligner in enumerate(aligners):
        of_view = f" of view {i}" if len(aligners) > 1 else ""
        report = aligner.alignment_report_
        parts.append(f"## Held-out retrieval{of_view}\n\n```text\n{report}\n```\n")
    return _CARD.format(
        tags=_TAGS + _language_line(languages),
        begin=_BEGIN,
        kind=type(estimator).__name__,
        version=__version__,
        facts="".join(f"{part}\n" for part in parts),
        end=_END,
    )


def merged(path: Path, card: str) -> str:
    """Text of the file at a path, with the generated part of a new card in it.

    Text that was written by hand is kept. A file without a generated part gets it at its end; if
    there is no file, or an empty one, the text is the card.

    Raises
    ------
    OSError
        If the file exists and cannot be read, or if there is something other than a file.
    """
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise OSError(
            f"{str(path)!r} is not a file, and the model card is to be written there: remove it, or "
            "save to another folder."
        )
    try:
        # Unlike read_text, this keeps ends of lines, and bytes that are not UTF-8.
        there = path.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):  # the latter is told when the folder is made
        return card
    if not there.strip():
        return card
    new, old = _generated(card), _PART.search(there)
    if old is None:
        return there + ("\n" if there.endswith("\n") else "\n\n") + new + "\n"
    head = _with_languages(there[: old.start()], _languages_in(old[0]), _languages_in(new))
    return head + new + there[old.end() :]


def write_card(path: Path, card: str) -> None:
    """Replace the file at a path; bytes that are not UTF-8 stay as `merged` read them."""
    with replacing(path) as part:
        part.write_bytes(card.encode("utf-8", "surrogateescape"))


def _within(estimator: Any) -> Iterator[Any]:
    """An estimator and those inside it, without their FrozenEstimator."""
    inner = thawed(estimator)
    yield inner
    steps = [step for _, step in getattr(inner, "steps", ())]
    aligner = getattr(inner, "aligner_", None)
    own = (
        *(aligner if isinstance(aligner, list) else [aligner]),
        getattr(inner, "classifier_", None),
    )
    for part in (*own, *getattr(inner, "aligners_", ()), *steps):
        if part is not None:
            yield from _within(part)


def _facts(aligner: Any) -> dict[str, str]:
    """Encoders and settings of an aligner."""
    encoders = {"multilingual encoder": aligner.encoder, "English encoder": aligner.english_encoder}
    return {
        **{name: _named(encoder) for name, encoder in encoders.items() if encoder is not None},
        "method": aligner.method_,
        "output space": aligner.output_space,
    }


def _calibration(model: AlignedClassifier) -> str:
    """Section about the head and the calibration of its probabilities."""
    calibration = f"- calibration: {model.calibration_}"
    if "temperature" in model.calibration_:
        calibration += f", at a temperature of {model.temperature_:.3g}"
    facts = [f"- head: `{type(thawed(model.classifier_)).__name__}`"]
    facts += [f"- classes: {len(model.classes_):,}", calibration]
    return "## Probabilities of the target language\n\n" + "\n".join(facts) + "\n"


def _named(encoder: Any) -> str:
    """Name of an encoder in Markdown, with its revision."""
    name = getattr(encoder, "name", encoder)
    if isroutine(encoder):
        return f"the function `{object_name(encoder)}`"
    if not isinstance(name, str):
        return f"an object of the class `{type(encoder).__name__}`"
    revision = getattr(encoder, "revision", None)
    return f"`{name}`" + (f", revision `{revision}`" if revision else "")


def _language_line(languages: Sequence[str]) -> str:
    """Languages in the front matter; quoted, as "no" is a boolean in YAML."""
    return f"language: {json.dumps(list(languages))}\n" if languages else ""


def _generated(card: str) -> str:
    """The part of a new card between the two markers, with them."""
    return card[card.index(_BEGIN) : card.rindex(_END) + len(_END)]


def _languages_in(part: str) -> str:
    """Languages in the front matter that were generated together with this part."""
    found = re.search(r"^- languages: (.+)$", part, re.MULTILINE)
    return _language_line(found[1].split(", ")) if found else ""


def _with_languages(head: str, was: str, now: str) -> str:
    """Front matter with the languages of the model, unless they were changed by hand."""
    if not was and "\nlanguage:" in head:
        return head
    return head.replace(_TAGS + was, _TAGS + now, 1)
