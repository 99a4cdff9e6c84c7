"""The recurrences and their gradients in float64 NumPy: the arbiter, which belongs to neither framework."""
