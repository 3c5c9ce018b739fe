"""Google Cloud: its bills, its storage, its prices."""
