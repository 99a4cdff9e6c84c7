"""The shape of every tensor of a graph, inferred without Keras."""

from frameworks.models.reading.shapes.inference import infer_shapes, with_shapes

__all__ = ["infer_shapes", "with_shapes"]
