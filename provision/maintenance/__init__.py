"""What is done to the whole store: its schema, backups and new keys."""
