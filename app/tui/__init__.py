"""The terminal screens: allocated cost, the market beside it, the plan below, and a quote's price to edit."""
