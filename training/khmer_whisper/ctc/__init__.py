"""Aligners of one's own: a CTC model over Khmer characters, trained to be right about time."""
