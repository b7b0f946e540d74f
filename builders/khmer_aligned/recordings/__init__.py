"""Where recordings come from: a file per format, and the `datasets` builder that reads them."""
