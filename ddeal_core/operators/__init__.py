"""Quick forms of what the network computes, which know nothing of it."""
