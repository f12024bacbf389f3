"""The device's side of a bundle as ISO C99."""
