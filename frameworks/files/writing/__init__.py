"""Writing checkpoint files: what the formats share, one module per format, and the atomic replacing of a file."""
