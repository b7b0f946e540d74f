"""What made the demo's recordings and models; not in the wheel."""
