"""Keras's update rules and learning-rate schedules, written in torch."""
