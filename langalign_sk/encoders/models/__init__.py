"""Loaded models behind the names of encoders."""
