"""Scripts and languages of texts."""

from .router import LanguageRouter
from .scripts import script_of, scripts_of_language

__all__ = ["LanguageRouter", "script_of", "scripts_of_language"]
