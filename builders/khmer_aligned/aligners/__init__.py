"""Acoustic models that give emissions, and the path through them."""
