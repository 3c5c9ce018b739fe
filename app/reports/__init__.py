"""A plan as text, Markdown, JSON and CSV."""
