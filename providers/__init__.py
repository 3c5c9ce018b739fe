"""Where usage, prices and commitments come from: every source becomes one of three tables."""
