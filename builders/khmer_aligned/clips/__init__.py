"""An alignment to clips that Whisper can learn from, each kept, or rejected with its reason."""
