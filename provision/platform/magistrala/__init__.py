"""The adapter to a Magistrala up to 0.30, over the HTTP routes of its services."""
