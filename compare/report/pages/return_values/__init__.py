"""The page on what Keras returns, in PyTorch's terms."""
