"""The page on parity of results and states."""
