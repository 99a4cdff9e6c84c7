"""The page on a whole translation model."""
