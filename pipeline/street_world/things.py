"""Cars, walkers, trees, houses and poles as panels, with their shadows."""

from dataclasses import dataclass, replace

from pipeline.street_world import labels, shadows
from pipeline.street_world.panels import Panel, Place, beside, facing, lying
from pipeline.street_world.shadows import Sun
from pipeline.street_world.textures import cars, facades, furniture, people
from pipeline.street_world.values import Number, Vector

_IN_SHADE = (0.78, 0.81, 0.87)


@dataclass(frozen=True)
class Light:
    """The colour of light on surfaces, by where they face."""

    to_right: Vector
    to_left: Vector
    to_camera: Vector
    up: Vector
    sun: Sun | None
    """None where the sun does not shine: nothing throws a shadow."""

    def at(self, x: Number) -> "Light":
        """On things at the side x of the street: on the sun's side they stand in the shadow of its houses."""
        if self.sun is None or x * self.sun.x > 0:
            return self
        dimmed = {name: tinted(getattr(self, name), _IN_SHADE) for name in ("to_right", "to_left", "to_camera", "up")}
        return replace(self, sun=None, **dimmed)

    def beside(self, x: Number) -> Vector:
        """On a wall at the side x of the street, which faces its middle."""
        return self.to_right if x < 0 else self.to_left


def tinted(light: Vector, tint: Vector) -> Vector:
    return (light[0] * tint[0], light[1] * tint[1], light[2] * tint[2])


def car(number: int, light: Light, *, oncoming: bool) -> list[Panel]:
    """A car whose near end stands at z = 0 and x = 0 in the middle."""
    name, shape = f"car.{number}", cars.SHAPES[number % len(cars.SHAPES)]
    half, length, belt = shape.width / 2, shape.length, shape.belt
    end, to_left, to_right = ("front", "flipped", "side") if oncoming else ("rear", "side", "flipped")
    left = Place((-half, belt, length), across=(0, 0, -length), down=(0, -belt, 0))
    right = Place((half, belt, 0), across=(0, 0, length), down=(0, -belt, 0))
    return [
        Panel(facing(0, 0, 0, shape.width, belt), texture=f"{name}.{end}", label=labels.CAR, tint=light.to_camera),
        Panel(left, texture=f"{name}.body.{to_left}", label=labels.CAR, tint=light.to_left),
        Panel(right, texture=f"{name}.body.{to_right}", label=labels.CAR, tint=light.to_right),
        Panel(lying(-half, half, 0, length, belt), texture=f"{name}.top", label=labels.CAR, tint=light.up),
        *_cabin(name, shape, light, oncoming=oncoming),
        shadows.contact(half + 0.4, -0.6, length + 0.5),
        *shadows.of_car(light.sun, shape.width, length, shape.roof),
    ]


def _cabin(name: str, shape: cars.Shape, light: Light, *, oncoming: bool) -> list[Panel]:
    near, near_slope, far_slope = shape.cabin_start, shape.rear_slope, shape.front_slope
    to_left, to_right = "side", "flipped"
    if oncoming:
        near = shape.length - shape.cabin_start - shape.cabin_length
        near_slope, far_slope = far_slope, near_slope
        to_left, to_right = to_right, to_left
    half, far, lean = shape.width / 2, near + shape.cabin_length, shape.lean
    roof, height, depth = shape.roof, shape.roof - shape.belt, shape.cabin_length
    screen = Place((-half, roof, near + near_slope), across=(shape.width, 0, 0), down=(0, -height, -near_slope))
    left = Place((lean - half, roof, far), across=(0, 0, -depth), down=(-lean, -height, 0))
    right = Place((half - lean, roof, near), across=(0, 0, depth), down=(lean, -height, 0))
    cover = lying(lean - half, half - lean, near + near_slope, far - far_slope, roof)
    return [
        Panel(screen, texture=f"{name}.screen", label=labels.CAR, tint=light.to_camera),
        Panel(left, texture=f"{name}.cabin.{to_left}", label=labels.CAR, tint=light.to_left),
        Panel(right, texture=f"{name}.cabin.{to_right}", label=labels.CAR, tint=light.to_right),
        Panel(cover, texture=f"{name}.top", label=labels.CAR, tint=light.up),
    ]


def walker(outfit: int, light: Light, *, from_behind: bool, size: Number, step: Number) -> list[Panel]:
    """A person with x = 0 in the middle; `step` is how far the legs swing, in radians, `size` 1 for 1.84 m."""
    hip, shoulder = people.LEG_METRES[1] - 0.02, 1.44
    name = f"person.{outfit}"
    limbs = [
        _limb(f"{name}.{limb}", x * side, metres, top, size, depth * side, step * side * sign, light)
        for limb, metres, top, x, depth, sign in (
            ("leg", people.LEG_METRES, hip, 0.085, 0.02, 1),
            ("arm", people.ARM_METRES, shoulder, 0.25, 0.03, -1),
        )
        for side in (-1, 1)
    ]
    width, height = people.TRUNK_METRES
    place = facing(0, (hip - 0.06) * size, 0, width * size, height * size)
    trunk = Panel(place, texture=f"{name}.{'back' if from_behind else 'front'}", label=labels.PERSON, tint=light.to_camera)
    return [*limbs, trunk, shadows.contact(0.5, -0.35, 0.35), *shadows.of_post(light.sun, 0, 0, 0.5, 1.8 * size)]


def _limb(
    texture: str, x: Number, metres: tuple[Number, Number], top: Number, size: Number, depth: Number, swing: Number, light: Light
) -> Panel:
    width, length = metres
    return Panel(
        facing(x * size, (top - length) * size, depth, width * size, length * size),
        texture=texture,
        label=labels.PERSON,
        tint=light.to_camera,
        swing=swing,
        pivot_height=top * size,
    )


@dataclass(frozen=True)
class Tree:
    x: Number
    z: Number
    width: Number
    height: Number
    """Of the crown."""
    kinds: tuple[int, int, int]
    """Of its layers of leaves, which stand one behind the other."""
    tint: Vector


def tree(what: Tree, light: Light) -> list[Panel]:
    x, z, width, height = what.x, what.z, what.width, what.height
    trunk = Panel(facing(x, 0.1, z, 0.5, 2.6), texture="trunk", label=labels.VEGETATION, tint=light.to_camera)
    layers = ((-0.09, 0.0, -0.9), (0.075, 0.075, 0.0), (-0.025, 0.025, 0.9))
    crowns = [
        Panel(
            facing(x + dx * width, 1.8 + dy * height, z + dz, width, height),
            texture=f"crown.{kind}",
            label=labels.VEGETATION,
            tint=tinted(tinted(light.up, what.tint), (shade, shade, shade)),
        )
        for kind, (dx, dy, dz), shade in zip(what.kinds, layers, (1.0, 0.86, 0.74), strict=True)
    ]
    return [
        trunk,
        *crowns,
        shadows.contact(1.0, z - 0.9, z + 0.9, x),
        *shadows.of_post(light.sun, x, z, 0.3, 2.2),
        *shadows.of_crown(light.sun, x, z, 1.8 + height / 2, (width + height) / 2, what.kinds[1]),
    ]


@dataclass(frozen=True)
class House:
    """Its front stands at x and begins at z = near, as one side of the street."""

    x: Number
    near: Number
    floors: int
    front: int
    tint: Vector

    @property
    def height(self) -> float:
        return facades.GROUND_FLOOR_METRES + self.floors * facades.FLOOR_METRES


_ROOF_METRES = 2.2
_ROOF_SLOPE = 1.3
_HOUSE_DEPTH = 11.0


def house(what: House, light: Light) -> list[Panel]:
    x, near, far, height = what.x, what.near, what.near + facades.WIDTH_METRES, what.height
    side = 1 if x > 0 else -1
    lit, blind = tinted(light.beside(x), what.tint), tinted(light.to_camera, what.tint)
    window = (0.0, 1 - height / facades.HEIGHT_METRES, 1.0, 1.0)
    middle = x + side * _HOUSE_DEPTH / 2
    walls = [
        Panel(beside(x, 0, near, far, height), texture=f"front.{what.front}", label=labels.BUILDING, tint=lit, window=window),
        Panel(facing(middle, 0, near, _HOUSE_DEPTH, height), f"blind.{what.front}", labels.BUILDING, tint=blind, window=window),
        Panel(beside(x - 0.2 * side, height - 0.35, near, far, 0.6), texture="cornice", label=labels.BUILDING, tint=lit),
    ]
    return [*walls, *_roof(what, side, light), *wall_shadow(x, near, height, light)]


def wall_shadow(x: Number, near: Number, height: Number, light: Light) -> list[Panel]:
    """Of a wall along a whole lot; none where it falls away from the street."""
    faces_away = light.sun is not None and x * light.sun.x > 0
    return [] if faces_away else shadows.of_wall(light.sun, x, near, near + facades.WIDTH_METRES, height)


def _roof(what: House, side: int, light: Light) -> list[Panel]:
    near, length, eaves, ridge = what.near, facades.WIDTH_METRES, what.height, what.height + _ROOF_METRES
    start, along = (near, length) if side < 0 else (near + length, -length)
    top = (what.x + _ROOF_SLOPE * side, ridge, start)
    slope = Place(top, across=(0, 0, along), down=(-_ROOF_SLOPE * side, -_ROOF_METRES, 0))
    middle = what.x + side * _HOUSE_DEPTH / 2
    gable = facing(middle, eaves, near, _HOUSE_DEPTH, _ROOF_METRES)
    tint = tinted(light.to_camera, what.tint)
    return [
        Panel(slope, texture="roof", label=labels.BUILDING, tint=light.beside(what.x)),
        Panel(gable, texture="gable.right" if side > 0 else "gable.left", label=labels.BUILDING, tint=tint),
        Panel(facing(middle - side * 2.5, ridge - 0.2, near + 3, 1.1, 1.5), texture="chimney", label=labels.BUILDING, tint=tint),
    ]


def lamp(x: Number, z: Number, light: Light) -> list[Panel]:
    """A lamp whose post stands at x and whose arm reaches over the road."""
    width, height = furniture.LAMP_METRES
    texture, middle = ("lamp.right", x + width / 4) if x < 0 else ("lamp.left", x - width / 4)
    whole = Panel(facing(middle, 0.1, z, width, height), texture=texture, label=labels.POLE, tint=light.to_camera)
    return [whole, *shadows.of_post(light.sun, x, z, 0.24, height)]


def _post(x: Number, z: Number, height: Number, light: Light) -> list[Panel]:
    pole = Panel(facing(x, 0.1, z, 0.12, height), texture="pole", label=labels.POLE, tint=light.to_camera)
    return [pole, *shadows.of_post(light.sun, x, z, 0.2, height)]


def sign(x: Number, z: Number, kind: int, light: Light) -> list[Panel]:
    plate = facing(x, 2.1, z - 0.05, furniture.SIGN_METRES, furniture.SIGN_METRES)
    return [*_post(x, z, 2.7, light), Panel(plate, texture=f"sign.{kind}", label=labels.TRAFFIC_SIGN, tint=light.to_camera)]


def traffic_light(x: Number, z: Number, light: Light) -> list[Panel]:
    box = facing(x, 2.5, z - 0.08, *furniture.LIGHT_METRES)
    return [*_post(x, z, 3.2, light), Panel(box, texture="light", label=labels.TRAFFIC_LIGHT)]
