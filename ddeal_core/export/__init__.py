"""The network as ONNX graphs, for machines without torch."""
