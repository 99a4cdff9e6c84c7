"""Larger comparisons, one folder each."""
