"""Recordings and rough Khmer transcripts in, an aligned speech dataset out."""
