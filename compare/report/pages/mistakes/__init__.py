"""The page on the usual mistakes, each executed."""
