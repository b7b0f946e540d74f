"""Clips to a folder in the Hub's own layout: shards, splits, the balance, the card."""
