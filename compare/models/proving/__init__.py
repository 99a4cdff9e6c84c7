"""The proof of a port of a whole model: what was compared with what, on which inputs, and what was compared with nothing."""
