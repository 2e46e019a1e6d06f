"""Training of the network that makes first masks from hints."""
