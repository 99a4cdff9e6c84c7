"""Putting two whole models side by side: where they first part, and which layers are wrong."""
