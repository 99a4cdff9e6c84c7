"""Layers of one framework that behave exactly as those of the other."""
