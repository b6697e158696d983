"""Fair comparisons: every method with the same data, model, budget and search, and intervals over classes and seeds."""
