"""See inside: what led the network to its answer, as arrays and as pictures (Figure 4)."""
