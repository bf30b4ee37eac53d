"""What a clip shows of a picture: a square around its face, always inside the picture."""

import numpy as np

from pipeline.faces import Face, Person, steady
from pipeline.sources import Box


def square(faces: list[Face], enlarge: float, height: int, width: int) -> Box:
    """One for all frames: `enlarge` times the face's mean width, at least all of it, centred."""
    left, top = min(face.left for face in faces), min(face.top for face in faces)
    right, bottom = max(face.right for face in faces), max(face.bottom for face in faces)
    side = max(enlarge * _mean_width(faces), right - left, bottom - top)
    return _inside((left + right) / 2, (top + bottom) / 2, side, height, width)


def squares(person: Person, frames: range, deviation: float, enlarge: float, height: int, width: int) -> list[Box]:
    """One for each frame, all of one size: `enlarge` times the face's mean width, at least all of it in any look.

    They follow the face, whose way between the looks is straight, smoothed by a Gaussian of so many frames.
    """
    faces = list(person.values())
    side = max(enlarge * _mean_width(faces), *(max(face.right - face.left, face.bottom - face.top) for face in faces))
    way = steady(person, frames, len(frames), deviation)
    return [_inside((way[t].left + way[t].right) / 2, (way[t].top + way[t].bottom) / 2, side, height, width) for t in frames]


def _mean_width(faces: list[Face]) -> float:
    return float(np.mean([face.right - face.left for face in faces]))


def _inside(x: float, y: float, side: float, height: int, width: int) -> Box:
    """Centred there, moved and, if need be, made smaller so that all of it is picture."""
    whole = min(round(side), height, width)
    left, top = round(x - whole / 2), round(y - whole / 2)
    return Box(min(max(0, left), width - whole), min(max(0, top), height - whole), whole, whole)
