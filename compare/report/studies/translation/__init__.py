"""The model of TensorFlow's translation tutorial in both frameworks; it translates spelling into pronunciation."""
