"""Recurrent layers as modules of torch, and as classes generated for what torch lacks."""

from frameworks.models.pytorch.recurrent.layers import WRITERS

__all__ = ["WRITERS"]
