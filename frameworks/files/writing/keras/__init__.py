"""The .keras format, written by Keras."""
