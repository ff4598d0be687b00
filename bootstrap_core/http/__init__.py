"""The bootstrap core over HTTP: decode, let in, call, encode."""
