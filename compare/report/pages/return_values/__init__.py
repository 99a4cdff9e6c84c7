"""The page on return values: Keras's results expressed over PyTorch's."""
