"""The network as it runs when nothing is learnt: the same answers, sooner."""
