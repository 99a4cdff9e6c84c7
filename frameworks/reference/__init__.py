"""The recurrences and their gradients in float64 NumPy: a reference that belongs to neither framework."""
