"""The model card of a saved folder."""

from __future__ import annotations

import json
from typing import Any

from ._checks import thawed
from ._version import __version__

__all__ = ["model_card"]

_HEAD = """---
library_name: langalign-sk
license: unknown
{languages}tags: [cross-lingual, sentence-embeddings, scikit-learn]
---

# {kind}

Saved by langalign_sk {version}. Load it with:

```python
from langalign_sk import load

model = load("path/to/this/folder")
```

The licence above is yours to fill in: that of the pairs it was learned from, and of the encoders,
bind it too.
"""


def model_card(estimator: Any) -> str:
    """Markdown of what is known of a fitted model: languages, encoders, held-out numbers."""
    aligner = _aligner_in(estimator)
    languages = getattr(aligner, "target_lang", ())
    languages = [languages] if isinstance(languages, str) else list(languages)
    parts = [
        _HEAD.format(
            # Quoted, as "no" is a boolean to YAML.
            languages=f"language: {json.dumps([*languages, 'en'])}\n" if languages else "",
            kind=type(estimator).__name__,
            version=__version__,
        )
    ]
    if hasattr(estimator, "n_documents_"):
        parts.append(f"It holds {estimator.n_documents_:,} documents.\n")
    if aligner is not None:
        encoders = {
            "multilingual encoder": aligner.encoder,
            "English encoder": aligner.english_encoder,
        }
        facts = [f"- {name}: {_named(e)}" for name, e in encoders.items() if e is not None]
        facts += [f"- method: {aligner.method_}", f"- output space: {aligner.output_space}\n"]
        parts.append("\n".join(facts))
        parts.append(f"## Held-out retrieval\n\n```text\n{aligner.alignment_report_}\n```\n")
    return "\n".join(parts)


def _aligner_in(estimator: Any) -> Any:
    """The CrossLingualAligner of a model, if there is one."""
    steps = [step for _, step in getattr(estimator, "steps", ())]
    for candidate in (estimator, getattr(estimator, "aligner_", None), *steps):
        inner = thawed(candidate)
        if hasattr(inner, "alignment_report_"):
            return inner
    return None


def _named(encoder: Any) -> str:
    name = getattr(encoder, "name", encoder)
    if not isinstance(name, str):
        return f"an object of the class `{type(encoder).__name__}`"
    revision = getattr(encoder, "revision", None)
    return f"`{name}`" + (f", revision `{revision}`" if revision else "")
