"""The conditions for identical training: gradients, initial weights, biases, embeddings."""
