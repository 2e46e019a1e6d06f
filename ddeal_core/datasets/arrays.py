"""Kinds of arrays of training material."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]
"""Pictures ``[H, W, 3]`` or ``[H, W, 4]``, and label maps ``[H, W]``."""
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
