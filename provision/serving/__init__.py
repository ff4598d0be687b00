"""The HTTP server: uvicorn's, with limits on what strangers may take of it."""
