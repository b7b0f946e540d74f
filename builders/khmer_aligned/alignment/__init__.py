"""A transcript and an emission to words with times: target, path, readings, unspoken, ends."""
