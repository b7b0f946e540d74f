"""Word times from the decoder's cross-attention, and the heads that give them."""
