"""Where the service keeps its data: the database, the data directory and the keys in it."""
