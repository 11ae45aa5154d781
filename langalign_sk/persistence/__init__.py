"""Saved models: folders of JSON and safetensors, checked, without pickles."""

from ._folder import load, save

__all__ = ["load", "save"]
