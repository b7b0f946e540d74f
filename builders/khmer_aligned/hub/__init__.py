"""A folder to the Hugging Face Hub in one commit, and a name on the Hub to a pinned version."""
