"""The page on optimizers and learning-rate schedules."""
