"""Amazon Web Services: its bills, its storage, its prices."""
