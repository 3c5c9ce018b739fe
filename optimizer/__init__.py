"""Pure functions on tables: demand and offers in, a plan and its proof out."""
