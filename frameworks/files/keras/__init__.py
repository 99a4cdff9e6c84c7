"""Readers of Keras's files, without Keras."""
