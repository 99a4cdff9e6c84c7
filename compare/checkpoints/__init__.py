"""The contents of a checkpoint file, what became of them in another file, and whether the two agree."""
