"""Why spend differs between two stretches of time: the difference split into parts that sum to it exactly."""
