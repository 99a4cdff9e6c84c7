"""Files of TensorFlow: SavedModel folders of Keras 2, and checkpoints."""
