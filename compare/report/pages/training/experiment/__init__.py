"""What it takes to train alike: gradients, initial weights, biases."""
