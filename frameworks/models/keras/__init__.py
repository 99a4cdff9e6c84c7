"""Whole models in today's Keras."""

from frameworks.models.keras.building import Built, build, build_keras

__all__ = ["Built", "build", "build_keras"]
