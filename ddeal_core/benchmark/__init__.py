"""Speed and memory: stages, operations, growth, and the plain network to beat."""
