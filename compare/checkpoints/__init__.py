"""What a checkpoint file holds, what became of it in another, and whether the two agree."""
