"""What the bootstrap core keeps: its tables, and each kind of row in a module of its own."""
