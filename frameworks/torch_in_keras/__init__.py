"""PyTorch's behaviour, written in Keras: layers, optimizers, initial weights."""
