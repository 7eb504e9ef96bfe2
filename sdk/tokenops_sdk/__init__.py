"""Read a TokenOps policy bundle: verify it, keep it, ask it. No Django."""
