"""Graphs of whole models, read from files of Keras, and from live Keras models by their config."""

from frameworks.models.reading.reading import read_graph

__all__ = ["read_graph"]
