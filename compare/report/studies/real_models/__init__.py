"""Recurrent layers that strangers trained, with what they gave where they came from."""
