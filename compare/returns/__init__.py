"""What a Keras layer returns, as expressions over PyTorch's `(output, h_n, c_n)`, and the other way round."""
