"""How cost grows with what is stored: ``make bench-growth``."""
