"""Building a layer that behaves like a stored one; each module is named after the framework that it builds in."""
