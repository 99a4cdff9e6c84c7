"""What several comparisons use: the calls they make, their tolerances, the progress of a search, and a canvas."""
