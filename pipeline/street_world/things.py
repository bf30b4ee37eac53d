"""Cars, walkers, trees, houses and poles as panels."""

from dataclasses import dataclass

from pipeline.street_world import labels
from pipeline.street_world.panels import Panel, Place, beside, facing, lying
from pipeline.street_world.textures import cars, facades, furniture, people
from pipeline.street_world.values import Number, Vector


@dataclass(frozen=True)
class Light:
    """The colour of light on surfaces, by where they face."""

    to_right: Vector
    to_left: Vector
    to_camera: Vector
    up: Vector

    def beside(self, x: Number) -> Vector:
        """On a wall at the side x of the street, which faces its middle."""
        return self.to_right if x < 0 else self.to_left


def tinted(light: Vector, tint: Vector) -> Vector:
    return (light[0] * tint[0], light[1] * tint[1], light[2] * tint[2])


def shadow(half_width: Number, near: Number, far: Number, x: Number = 0.0) -> Panel:
    place = lying(x - half_width, x + half_width, near, far, 0.01)
    return Panel(place, texture="shadow", label=labels.ROAD)


def car(paint: int, light: Light, *, oncoming: bool) -> list[Panel]:
    """A car whose near end stands at z = 0 and x = 0 in the middle."""
    name = f"car.{paint}"
    half, length, height = cars.WIDTH / 2, cars.LENGTH, cars.ROOF - cars.BELT
    end, to_left, to_right = ("front", "flipped", "side") if oncoming else ("rear", "side", "flipped")
    return [
        Panel(facing(0, 0, 0, cars.WIDTH, cars.BELT), texture=f"{name}.{end}", label=labels.CAR, tint=light.to_camera),
        Panel(
            Place((-half, cars.BELT, length), across=(0, 0, -length), down=(0, -cars.BELT, 0)),
            texture=f"{name}.body.{to_left}",
            label=labels.CAR,
            tint=light.to_left,
        ),
        Panel(
            Place((half, cars.BELT, 0), across=(0, 0, length), down=(0, -cars.BELT, 0)),
            texture=f"{name}.body.{to_right}",
            label=labels.CAR,
            tint=light.to_right,
        ),
        Panel(lying(-half, half, 0, length, cars.BELT), texture=f"{name}.top", label=labels.CAR, tint=light.up),
        *_cabin(name, light, half, height, oncoming=oncoming),
    ]


def _cabin(name: str, light: Light, half: Number, height: Number, *, oncoming: bool) -> list[Panel]:
    near, to_left, to_right = cars.CABIN_START, "side", "flipped"
    near_slope, far_slope = cars.CABIN_REAR_SLOPE, cars.CABIN_FRONT_SLOPE
    if oncoming:
        near = cars.LENGTH - cars.CABIN_START - cars.CABIN_LENGTH
        to_left, to_right = to_right, to_left
        near_slope, far_slope = far_slope, near_slope
    far, lean = near + cars.CABIN_LENGTH, cars.CABIN_LEAN
    roof = lying(lean - half, half - lean, near + near_slope, far - far_slope, cars.ROOF)
    return [
        Panel(
            Place((-half, cars.ROOF, near + near_slope), across=(cars.WIDTH, 0, 0), down=(0, -height, -near_slope)),
            texture=f"{name}.screen",
            label=labels.CAR,
            tint=light.to_camera,
        ),
        Panel(
            Place((lean - half, cars.ROOF, far), across=(0, 0, near - far), down=(-lean, -height, 0)),
            texture=f"{name}.cabin.{to_left}",
            label=labels.CAR,
            tint=light.to_left,
        ),
        Panel(
            Place((half - lean, cars.ROOF, near), across=(0, 0, far - near), down=(lean, -height, 0)),
            texture=f"{name}.cabin.{to_right}",
            label=labels.CAR,
            tint=light.to_right,
        ),
        Panel(roof, texture=f"{name}.top", label=labels.CAR, tint=light.up),
    ]


def car_shadows() -> list[Panel]:
    return [shadow(1.3, -0.6, cars.LENGTH + 0.5)]


def walker(outfit: int, light: Light, *, sideways: bool, step: Number) -> list[Panel]:
    """A person with x = 0 in the middle; `step` is how far the legs swing, in radians."""
    hip, shoulder = people.LEG_METRES[1] - 0.02, 1.44
    spread = 0.02 if sideways else 0.085
    reach = 0.03 if sideways else 0.25
    name = f"person.{outfit}"
    limbs = [
        _limb(f"{name}.{limb}", x * side, size, top, depth * side, step * side * sign, light)
        for limb, size, top, x, depth, sign in (
            ("leg", people.LEG_METRES, hip, spread, 0.02, 1),
            ("arm", people.ARM_METRES, shoulder, reach, -0.06 if sideways else 0.03, -1),
        )
        for side in (-1, 1)
    ]
    trunk = facing(0, hip - 0.06, 0, *people.TRUNK_METRES)
    return [*limbs, Panel(trunk, texture=f"{name}.trunk", label=labels.PERSON, tint=light.to_camera)]


def _limb(texture: str, x: Number, size: tuple[Number, Number], top: Number, depth: Number, swing: Number, light: Light) -> Panel:
    return Panel(
        facing(x, top - size[1], depth, *size),
        texture=texture,
        label=labels.PERSON,
        tint=light.to_camera,
        swing=swing,
        pivot_height=top,
    )


def tree(x: Number, z: Number, size: Number, kinds: tuple[int, int, int], tint: Vector) -> list[Panel]:
    """A trunk and three layers of leaves one behind the other."""
    trunk = Panel(facing(x, 0.1, z, 0.5, 2.6), texture="trunk", label=labels.VEGETATION)
    layers = ((-0.35, 0.0, -0.9), (0.3, 0.3, 0.0), (-0.1, 0.1, 0.9))
    crowns = [
        Panel(
            facing(x + dx * size / 4, 1.8 + dy * size / 4, z + dz, size, size),
            texture=f"crown.{kind}",
            label=labels.VEGETATION,
            tint=tinted(tint, (shade, shade, shade)),
        )
        for kind, (dx, dy, dz), shade in zip(kinds, layers, (1.0, 0.86, 0.74), strict=True)
    ]
    return [trunk, *crowns]


def house(x: Number, near: Number, floors: int, front: int, tint: Vector, light: Light) -> list[Panel]:
    """A house whose front stands at x and begins at z = near, as one side of the street."""
    side = 1 if x > 0 else -1
    far, depth = near + facades.WIDTH_METRES, 11.0
    height = facades.GROUND_FLOOR_METRES + floors * facades.FLOOR_METRES
    window = (0.0, 1 - height / facades.HEIGHT_METRES, 1.0, 1.0)
    lit, gable = tinted(light.beside(x), tint), tinted(light.to_camera, tint)
    start, along = (near, far - near) if side < 0 else (far, near - far)
    slope = Panel(
        Place((x + 1.3 * side, height + 2.2, start), across=(0, 0, along), down=(-1.3 * side, -2.2, 0)),
        texture="roof",
        label=labels.BUILDING,
        tint=light.beside(x),
    )
    middle = x + side * depth / 2
    wall = facing(middle, 0, near, depth, height)
    end = facing(middle, height, near, depth, 2.2)
    eaves = beside(x - 0.2 * side, height - 0.35, near, far, 0.6)
    return [
        Panel(beside(x, 0, near, far, height), texture=f"front.{front}", label=labels.BUILDING, tint=lit, window=window),
        Panel(wall, texture="blind", label=labels.BUILDING, tint=gable, window=window),
        Panel(eaves, texture="cornice", label=labels.BUILDING, tint=lit),
        slope,
        Panel(end, texture="gable.right" if side > 0 else "gable.left", label=labels.BUILDING, tint=gable),
    ]


def lamp(x: Number, z: Number) -> Panel:
    """A lamp whose post stands at x and whose arm reaches over the road."""
    width, height = furniture.LAMP_METRES
    texture, middle = ("lamp.right", x + width / 4) if x < 0 else ("lamp.left", x - width / 4)
    return Panel(facing(middle, 0.1, z, width, height), texture=texture, label=labels.POLE)


def post(x: Number, z: Number, height: Number) -> Panel:
    return Panel(facing(x, 0.1, z, 0.12, height), texture="pole", label=labels.POLE)


def sign(x: Number, z: Number, kind: int) -> list[Panel]:
    plate = facing(x, 2.1, z - 0.05, furniture.SIGN_METRES, furniture.SIGN_METRES)
    return [post(x, z, 2.7), Panel(plate, texture=f"sign.{kind}", label=labels.TRAFFIC_SIGN)]


def traffic_light(x: Number, z: Number, texture: str) -> list[Panel]:
    box = facing(x, 2.5, z - 0.08, *furniture.LIGHT_METRES)
    return [post(x, z, 3.2), Panel(box, texture=texture, label=labels.TRAFFIC_LIGHT)]
