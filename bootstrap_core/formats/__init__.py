"""JSON, YAML and TOML as they come in and as devices get them."""
