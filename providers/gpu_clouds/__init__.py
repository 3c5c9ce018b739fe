"""Clouds that sell GPUs first of all: the price list of each -> listings."""
