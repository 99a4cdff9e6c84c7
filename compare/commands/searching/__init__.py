"""A search in a process of its own, which also runs the user's files."""
