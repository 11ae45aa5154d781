"""Models in folders of JSON and safetensors: small, checked, and without pickles."""

from ._folder import load, save

__all__ = ["load", "save"]
