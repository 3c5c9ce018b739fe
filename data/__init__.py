"""What ships with the program: a price book, the accelerator tables and a fictional demo."""
