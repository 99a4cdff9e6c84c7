"""Keras's initialisers and the starts of its layers, written in torch."""

from frameworks.initialisation.pytorch.initialisers import INITIALISERS, Initialiser, check_initialiser, fill

__all__ = ["INITIALISERS", "Initialiser", "check_initialiser", "fill"]
