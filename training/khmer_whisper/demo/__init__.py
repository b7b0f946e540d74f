"""The demo: bundled recordings, two small checkpoints, and the whole main job run on them."""
