"""The return values of a Keras layer as expressions over PyTorch's `(output, h_n, c_n)`, and the reverse."""
