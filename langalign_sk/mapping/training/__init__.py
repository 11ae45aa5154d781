"""Training of adapters; everything here needs torch."""
