"""What becomes of promises when everything that can fail does."""
