"""Experiments on training the same layers in both frameworks."""
