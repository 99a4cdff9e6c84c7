"""The page on how each framework stores weights."""
