"""The port to the Magistrala platform, its domain types and the adapter over HTTP."""
