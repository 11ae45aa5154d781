"""Well-known encoders, with the settings of their model cards."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "OFFLINE", "PRESETS", "Preset", "list_encoders", "preset_of"]


DEFAULT = "use-multilingual"
OFFLINE = {
    "use-multilingual": "Universal Sentence Encoder multilingual v3, 512-d, 16 languages",
    "minilm-english": "all-MiniLM-L6-v2, 384-d, English only (extra 'demo')",
}


@dataclass(frozen=True)
class Preset:
    """Model of the Hugging Face hub, with its prompt."""

    repo: str
    about: str
    prompt: str | None = None
    trust_remote_code: bool = False  # whether the model needs it
    extra: str | None = None  # installs a package that carries the model with 4-bit weights


# Prompts are those of the model cards. The E5 cards ask for "query: " in symmetric tasks, such as
# bitext mining, and for features of a classifier.
PRESETS = {
    "multilingual-e5-small": Preset(
        "intfloat/multilingual-e5-small", "384-d, 94 languages", "query: ", extra="e5"
    ),
    "multilingual-e5-base": Preset(
        "intfloat/multilingual-e5-base", "768-d, 94 languages", "query: "
    ),
    "multilingual-e5-large": Preset(
        "intfloat/multilingual-e5-large", "1024-d, 94 languages", "query: "
    ),
    "bge-m3": Preset("BAAI/bge-m3", "1024-d, over 100 languages"),
    "labse": Preset("sentence-transformers/LaBSE", "768-d, 109 languages, made for translations"),
    "paraphrase-multilingual-minilm": Preset(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "384-d, 50 languages"
    ),
    "paraphrase-multilingual-mpnet": Preset(
        "sentence-transformers/paraphrase-multilingual-mpnet-base-v2", "768-d, 50 languages"
    ),
    "distiluse-multilingual": Preset(
        "sentence-transformers/distiluse-base-multilingual-cased-v2", "512-d, 50 languages"
    ),
    "gte-multilingual": Preset(
        "Alibaba-NLP/gte-multilingual-base", "768-d, 70 languages", trust_remote_code=True
    ),
    "xlm-roberta": Preset("FacebookAI/xlm-roberta-base", "768-d, 100 languages, mean-pooled"),
    "mbert": Preset(
        "google-bert/bert-base-multilingual-cased", "768-d, 104 languages, mean-pooled"
    ),
    "potion-multilingual": Preset(
        "minishlab/potion-multilingual-128M", "256-d, 101 languages, static vectors (model2vec)"
    ),
}
_BY_REPO = {preset.repo: preset for preset in PRESETS.values()}


def preset_of(name: str) -> Preset | None:
    """Preset of a short name or of a repository of the hub."""
    return PRESETS.get(name) or _BY_REPO.get(name)


def list_encoders() -> dict[str, str]:
    """Names that :class:`SentenceEncoder` knows settings for.

    Any other name stands for a local folder or for a model of the Hugging Face hub.

    Returns
    -------
    dict of str to str
        One line per name. The first two need no download, nor does the third with the extra
        ``e5``; the others are fetched once from the repository of the Hugging Face hub that ends
        their line.

    Examples
    --------
    >>> from langalign_sk.encoders import list_encoders
    >>> names = list_encoders()
    >>> list(names)[:3]
    ['use-multilingual', 'minilm-english', 'multilingual-e5-small']
    >>> names["labse"]
    '768-d, 109 languages, made for translations; downloads sentence-transformers/LaBSE'
    """
    return {**OFFLINE, **{name: _line(preset) for name, preset in PRESETS.items()}}


def _line(preset: Preset) -> str:
    extra = f"in 4 bits with the extra {preset.extra!r}, else " if preset.extra else ""
    return f"{preset.about}; {extra}downloads {preset.repo}"
