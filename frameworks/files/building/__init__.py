"""Building the layer that behaves as a stored one does; each module is named for the framework that it builds in."""
