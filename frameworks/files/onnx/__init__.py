"""The reader of ONNX models, without onnx."""
