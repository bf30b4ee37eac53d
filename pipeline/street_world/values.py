"""Names for plain values."""

Number = float | int
Vector = tuple[Number, Number, Number]
"""In metres, x right, y up, z forward; or three channels."""
Colour = tuple[Number, Number, Number]
"""RGB, 0 to 255."""
