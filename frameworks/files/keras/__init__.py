"""Readers of Keras files, without Keras."""
