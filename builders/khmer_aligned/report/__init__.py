"""A build as one page that a person can look at and listen to."""
