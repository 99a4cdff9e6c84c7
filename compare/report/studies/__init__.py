"""Larger worked comparisons, each a folder."""
