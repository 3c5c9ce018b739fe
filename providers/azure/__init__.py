"""Azure: its bills, its storage, its prices."""
