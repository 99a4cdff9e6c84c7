"""Writing checkpoint files: what the formats share, one module a format, and the file that appears whole or not at all."""
