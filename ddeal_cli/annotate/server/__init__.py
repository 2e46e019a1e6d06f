"""The page of ``ddeal annotate``: a server for this machine's own browser."""
