"""Training: one run folder, one loop, exact resume."""
