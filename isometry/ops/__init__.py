"""Pure functions on tensors: no classes, no state."""
