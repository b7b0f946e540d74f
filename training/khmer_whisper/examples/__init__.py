"""A dataset of clips to batches of training examples, module by module.

rows      one clip as `datasets` gives it, and its waveform
data      a dataset's name to its splits, pinned to a revision
fitting   which clips of a split a model can take
make      a clip to an example: samples and labels
mix       the order of the examples of an epoch, over one dataset or several
stream    the same for datasets that are larger than the disk
collate   examples to the tensors of a batch, log-mel included
"""
