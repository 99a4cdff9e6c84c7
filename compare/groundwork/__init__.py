"""What comparisons stand on: the calls of both sides, the tolerances, the progress of a search, the canvas of figures."""
