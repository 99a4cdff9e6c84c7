"""The output of `gatewise inspect`, `port` and `verify` for checkpoint files."""
