"""Finishing: what is done to masks between the network's answer and the outputs.

`Finishing` says what is wanted; a `Finisher` does it to the frames of one video, in order.
"""

from ddeal_core.finishing.finisher import Finisher
from ddeal_core.finishing.options import UNFINISHED, Finishing

__all__ = ["UNFINISHED", "Finisher", "Finishing"]
