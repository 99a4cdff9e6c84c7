"""The model of TensorFlow's translation tutorial in both frameworks; the task is to pronounce what is spelt."""
