"""The page on published models."""
