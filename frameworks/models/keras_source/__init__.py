"""A torch module as the source of a Keras model, which reads as one would have written it.

`unit.py` is a class of the source, `scope.py` the statements of a method while they are written; `functions/` and `modules/`
have a writer for each function and module of torch.
"""

from frameworks.models.keras_source.writing import write_keras

__all__ = ["write_keras"]
