"""Search in sets of several kinds: views, centring, fusion, scorings, and what a query costs."""
