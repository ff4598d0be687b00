"""The HTTP routes of the service: decode, call, encode."""
