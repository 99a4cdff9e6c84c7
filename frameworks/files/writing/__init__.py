"""Writing checkpoint files: one module per format, the parts that they share, and the atomic replacing of a file."""
