"""A Whisper fine-tuned from an aligned Khmer dataset, with error rates anyone can reproduce."""
