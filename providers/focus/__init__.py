"""FOCUS files, of any version and from anybody who writes them."""
