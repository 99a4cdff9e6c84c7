"""The page on masked time steps."""
