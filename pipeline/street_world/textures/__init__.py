"""What the surfaces of the street look like: each function paints one texture, RGBA, sides powers of two."""
