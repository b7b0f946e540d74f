"""A dataset of clips to batches of training examples."""
