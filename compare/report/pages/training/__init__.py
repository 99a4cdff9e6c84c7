"""The page on training: gradients, initial weights, biases."""
