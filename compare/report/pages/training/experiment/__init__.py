"""What training alike takes: gradients, initial weights, biases."""
