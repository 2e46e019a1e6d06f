"""The page of ``ddeal annotate``: a server for this machine's own browser."""

from ddeal_core.annotation.server.serving import PageServer, listen
from ddeal_core.annotation.server.studio import Studio

__all__ = ["PageServer", "Studio", "listen"]
