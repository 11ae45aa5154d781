"""Every method at every number of pairs."""
