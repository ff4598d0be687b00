"""A bootstrap service for devices: configs, profiles, bindings and their delivery."""
