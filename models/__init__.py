"""Change networks, model cards and weights: knows tensors, knows nothing of the pipeline."""
