"""Keras's behaviour, written in torch: layers, optimizers, losses, initial weights."""
