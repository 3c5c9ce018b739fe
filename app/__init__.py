"""The command and the screens: thin, for people."""
