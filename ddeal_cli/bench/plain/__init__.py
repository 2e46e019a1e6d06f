"""The plain network: the paper's equations and the released code's ways, one object at a time.

Written to be compared with, not to be used: the tests hold the network's answers against its own,
and ``ddeal bench`` its time. It shares no code with the network: concatenations instead of split
convolutions, whole maps of all products, a loop a component, eager float32. It takes the
network's state dicts and configurations.
"""
