"""The way of a device's request: read, rendered, answered, and looked at by people."""
