"""Parity checks: comparing the weights, results and gradients of two layers, and the verdict."""
