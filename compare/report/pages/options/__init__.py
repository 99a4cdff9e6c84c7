"""The page on every constructor argument of both frameworks."""
