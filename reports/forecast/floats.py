"""What all of the forecaster computes with."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
