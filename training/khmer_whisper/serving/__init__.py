"""A server with OpenAI's interface for transcriptions, and a page to try it."""
