"""The page on how weights lie in each framework."""
