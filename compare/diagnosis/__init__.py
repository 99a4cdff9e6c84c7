"""Naming the mistake in a wrong port, and the line that mends it."""
