"""The commands of `gatewise`, one module each."""
