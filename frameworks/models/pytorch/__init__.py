"""Whole models as PyTorch source."""
