"""Who aligns the shards of a plan: an engine gets numbers, and calls `align_shard` on each."""
