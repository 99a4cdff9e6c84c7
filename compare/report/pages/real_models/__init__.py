"""The page on models that strangers trained."""
