"""Transcript and emissions to words with times: target, path, readings, unspoken phrases, edges."""
