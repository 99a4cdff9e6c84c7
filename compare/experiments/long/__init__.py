"""What `gatewise report --full` runs for minutes: parts that can be interrupted, each in a process of its own."""

from compare.experiments.long.parts import PARTS, Part

__all__ = ["PARTS", "Part"]
