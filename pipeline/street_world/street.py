"""Seed -> world: what stands and moves where.

Every block of the street has random numbers of its own, so that a longer clip has the same beginning.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.street_world import atlas, labels, look, things
from pipeline.street_world.camera import Drive
from pipeline.street_world.look import Layout
from pipeline.street_world.panels import Panel, Thing, beside, facing, lying
from pipeline.street_world.textures.facades import WIDTH_METRES as HOUSE_METRES
from pipeline.street_world.textures.ground import BLOCK_METRES
from pipeline.street_world.things import Light
from pipeline.street_world.world import VIEW_METRES, World, build

_KERB_METRES = 0.13
_GARDEN_METRES = 9.0
_FIRST_BLOCK = -2
_STANDING_METRES = 15.0  # how far ahead the car stands that is approached
_PARKING = (0.5, 6.5, 12.5, 18.3)  # metres from the block's beginning; the middle two lie on a crossing, where there is one
# The kinds of random numbers of one seed.
_LOOK, _BLOCK, _TRAFFIC = range(3)
# An instance id is 1 + 4 * number + kind.
_PARKED, _WALKING, _ONCOMING, _AHEAD = range(4)


def world(seed: int, num_frames: int, *, approach: bool) -> World:
    rng = np.random.default_rng([seed, _LOOK])
    street, day = look.layout(rng), look.weather(rng)
    sky, light = look.sky(rng, day), look.light(rng, day)
    textures = look.textures(rng, street, sky, day.shadows)
    rng = np.random.default_rng([seed, _TRAFFIC])
    drive = _drive(rng, street, approach=approach)
    traffic = [_standing(rng, drive, light)] if approach else list(_traffic(rng, drive, light, num_frames))
    end = drive.distance(num_frames - 1) + VIEW_METRES
    blocks = range(_FIRST_BLOCK, int(end / BLOCK_METRES) + 1)
    built = [thing for number in blocks for thing in _block(seed, number, street, light)]
    return build([_far_away(), *built, *traffic], drive=drive, atlas=atlas.pack(textures), haze=sky.horizon)


def _drive(rng: np.random.Generator, street: Layout, *, approach: bool) -> Drive:
    """When approaching, stop 3.6 m behind the car; half of the way takes 7 frames."""
    sway = np.stack([rng.uniform(0.05, 0.12, 4), rng.uniform(0, 2 * np.pi, 4)], axis=1)
    lane, speed = street.lane / 2, float(rng.uniform(0.28, 0.5))
    if approach:
        return Drive(lane=lane, speed=(_STANDING_METRES - 3.6) / 10, sway=sway, braking=10.0)
    return Drive(lane=lane, speed=speed, sway=sway)


def _far_away() -> Thing:
    """Sky and skyline, as cards that keep their distance."""
    sky = facing(0, -200, 6000, 18000, 6200)
    skyline = facing(0, -300, 5000, 14000, 640)
    return Thing(
        panels=(
            Panel(sky, texture="sky", label=labels.SKY),
            Panel(skyline, texture="skyline", label=labels.VEGETATION),
        ),
        follows_camera=True,
    )


def _standing(rng: np.random.Generator, drive: Drive, light: Light) -> Thing:
    """The car that is approached."""
    return _car(_AHEAD, 0, drive.lane - 0.1, _STANDING_METRES, int(rng.integers(look.NUM_CARS)), light)


def _traffic(rng: np.random.Generator, drive: Drive, light: Light, num_frames: int) -> Iterator[Thing]:
    """A car ahead that keeps its distance roughly, and cars that come towards the camera."""
    if rng.random() < 0.6:
        model, ahead = int(rng.integers(look.NUM_CARS)), float(rng.uniform(11, 24))
        motion = {"velocity": (0.0, 0.0, drive.speed), "sway": (0.0, 0.0, 2.0), "rate": 0.05}
        yield _car(_AHEAD, 0, drive.lane, ahead, model, light, phase=float(rng.uniform(0, 6)), **motion)
    speed, place = float(rng.uniform(0.25, 0.5)), float(rng.uniform(10, 40))
    number = 0
    while place < VIEW_METRES + (speed + drive.speed) * num_frames:
        model = int(rng.integers(look.NUM_CARS))
        yield _car(_ONCOMING, number, -drive.lane, place, model, light, velocity=(0.0, 0.0, -speed))
        place += float(rng.uniform(14, 70))
        number += 1


def _car(kind: int, number: int, x: float, z: float, model: int, light: Light, **motion: Any) -> Thing:
    """Cars on the left of the street show their fronts."""
    return Thing(
        panels=things.car(model, light, oncoming=x < 0),
        start=(x, 0.0, z),
        instance=1 + 4 * number + kind,
        **motion,
    )


def _block(seed: int, number: int, street: Layout, light: Light) -> Iterator[Thing]:
    rng = np.random.default_rng([seed, _BLOCK, number - _FIRST_BLOCK])
    crossing = bool(rng.random() < 0.22)
    fixed = [*_ground(rng, street, light, crossing=crossing), *_furniture(rng, street, light, crossing=crossing)]
    for side in (-1, 1):
        for lot in range(2):
            fixed += _lot(rng, side, lot * HOUSE_METRES, street, light)
        fixed += _trees(rng, side, street, light)
    yield Thing(panels=fixed, start=(0.0, 0.0, number * BLOCK_METRES))
    yield from _parked(rng, number, street, light, crossing=crossing)
    yield from _walkers(rng, number, street, light)


def _ground(rng: np.random.Generator, street: Layout, light: Light, *, crossing: bool) -> Iterator[Panel]:
    road = "road.crossing" if crossing else f"road.{rng.integers(2)}"
    place = lying(-street.road, street.road, 0, BLOCK_METRES, 0)
    yield Panel(place, texture=road, label=labels.ROAD, tint=light.up)
    for side, name in ((-1, "left"), (1, "right")):
        left, right = sorted((side * street.road, side * street.walls))
        slabs = lying(left, right, 0, BLOCK_METRES, _KERB_METRES)
        yield Panel(slabs, texture=f"pavement.{name}", label=labels.SIDEWALK, tint=light.up)
        stones = beside(side * street.road, 0, 0, BLOCK_METRES, _KERB_METRES)
        yield Panel(stones, texture="kerb", label=labels.SIDEWALK, tint=light.beside(side))
        left, right = sorted((side * street.walls, side * (street.walls + _GARDEN_METRES + 0.5)))
        lawn = lying(left, right, 0, BLOCK_METRES, _KERB_METRES)
        yield Panel(lawn, texture="grass", label=labels.TERRAIN, tint=light.up)


def _lot(rng: np.random.Generator, side: int, near: float, street: Layout, light: Light) -> list[Panel]:
    """A house at the pavement, or one behind a garden."""
    warmth, strength = float(rng.uniform(-0.05, 0.05)), float(rng.uniform(0.88, 1.06))
    tint = (strength * (1 + warmth), strength, strength * (1 - warmth))
    front, garden = int(rng.integers(look.NUM_FRONTS)), bool(rng.random() < 0.25)
    x = side * (street.walls + (_GARDEN_METRES if garden else float(rng.choice([0.0, 0.4]))))
    floors = int(rng.integers(1, 4 if garden else 6))
    house = things.house(things.House(x, near, floors, front, tint), light)
    if not garden:
        return house
    kind, label = [("hedge", labels.VEGETATION), ("wall", labels.WALL), ("fence", labels.FENCE)][rng.integers(3)]
    edge = beside(side * (street.walls + 0.05), 0.1, near, near + HOUSE_METRES, 1.4)
    barrier = Panel(edge, texture=kind, label=label, tint=light.beside(side))
    crown, z = float(rng.uniform(3.5, 5)), near + float(rng.uniform(4, 9))
    tree = things.Tree(side * (street.walls + float(rng.uniform(3, 5.5))), z, crown, crown, _kinds(rng), (1.0, 1.0, 1.0))
    return [*house, barrier, *things.wall_shadow(side * street.walls, near, 1.5, light), *things.tree(tree, light)]


def _kinds(rng: np.random.Generator) -> tuple[int, int, int]:
    first, second, third = rng.permutation(look.NUM_CROWNS).tolist()
    return (first, second, third)


def _trees(rng: np.random.Generator, side: int, street: Layout, light: Light) -> Iterator[Panel]:
    for place in (4.0, 16.0):
        if rng.random() < 0.55:
            width, tone = float(rng.uniform(3.0, 4.4)), float(rng.uniform(0.86, 1.14))
            height, z = width * float(rng.uniform(0.95, 1.4)), place + float(rng.uniform(-2, 2))
            yield from things.tree(things.Tree(side * (street.road + 0.8), z, width, height, _kinds(rng), (tone, 1.0, tone)), light)


def _furniture(rng: np.random.Generator, street: Layout, light: Light, *, crossing: bool) -> Iterator[Panel]:
    near_kerb = street.road + 0.45
    for side in (-1, 1):
        yield from things.lamp(side * near_kerb, 10.0 + side, light)
        if rng.random() < 0.4:
            yield from things.sign(side * near_kerb, float(rng.uniform(19, 23)), int(rng.integers(look.NUM_SIGNS)), light)
    if crossing:
        yield from things.traffic_light(near_kerb, 9.5, light)
        yield from things.traffic_light(-near_kerb, 13.8, light)


def _parked(rng: np.random.Generator, number: int, street: Layout, light: Light, *, crossing: bool) -> Iterator[Thing]:
    slots = [(side, place) for side in (-1, 1) for place in _PARKING]
    for slot, (side, place) in enumerate(slots):
        model, x = int(rng.integers(look.NUM_CARS)), side * (street.road - 1.1)
        z = number * BLOCK_METRES + place + float(rng.uniform(-0.4, 0.4))
        if rng.random() < 0.45 and not (crossing and place in _PARKING[1:3]):
            yield _car(_PARKED, 8 * (number - _FIRST_BLOCK) + slot, x, z, model, light.at(x))


def _walkers(rng: np.random.Generator, number: int, street: Layout, light: Light) -> Iterator[Thing]:
    for slot in range(4):
        side = -1 if slot < 2 else 1
        outfit, direction = int(rng.integers(look.NUM_OUTFITS)), int(rng.choice([-1, 1]))
        x = side * float(rng.uniform(street.road + 1.5, street.walls - 0.5))
        z, size = number * BLOCK_METRES + float(rng.uniform(0, BLOCK_METRES)), float(rng.uniform(0.86, 1.02))
        if rng.random() < 0.8:
            yield Thing(
                panels=things.walker(outfit, light.at(x), from_behind=direction > 0, size=size, step=0.45),
                start=(x, _KERB_METRES, z),
                velocity=(0.0, 0.0, direction * float(rng.uniform(0.05, 0.09))),
                sway=(0.015, 0.0, 0.0),
                rate=0.42,
                phase=float(rng.uniform(0, 6)),
                instance=1 + 4 * (4 * (number - _FIRST_BLOCK) + slot) + _WALKING,
            )
