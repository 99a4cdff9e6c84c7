"""Readers of torch's files and of flat arrays in torch's names, without torch."""
