"""Settings that every test shares."""

import app  # noqa: F401 - its settings for numpy must be in place before numpy is
