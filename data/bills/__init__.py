"""One month of a made-up company's GPU bills, in the form of every export; everything in it is fictional."""
