"""The look of a clip: its light, its colours and its textures, from its random numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.street_world.shadows import Sun
from pipeline.street_world.textures import cars, facades, furniture, ground, nature, people, shadows
from pipeline.street_world.textures.canvas import mix
from pipeline.street_world.things import Light, tinted
from pipeline.street_world.values import Colour, Vector

NUM_FRONTS = 6
NUM_CARS = 5
NUM_OUTFITS = 5
NUM_CROWNS = 3
NUM_SIGNS = 3
_PAINTS: list[Colour] = [
    (168, 34, 36),
    (36, 70, 130),
    (206, 208, 210),
    (56, 60, 66),
    (130, 138, 146),
    (30, 96, 84),
    (222, 216, 200),
    (96, 36, 48),
]
_CLOTHES: list[Colour] = [(178, 52, 48), (52, 88, 148), (220, 212, 196), (60, 110, 84), (206, 154, 56), (96, 70, 116)]
_TROUSERS: list[Colour] = [(48, 56, 82), (58, 54, 52), (120, 104, 84), (36, 38, 44)]
_SKIN: list[Colour] = [(226, 184, 156), (190, 140, 108), (140, 96, 70), (232, 198, 172)]
_HAIR: list[Colour] = [(58, 42, 32), (30, 26, 26), (150, 112, 64), (112, 106, 102)]


@dataclass(frozen=True)
class Weather:
    zenith: Colour
    horizon: Colour
    cloudiness: tuple[float, float]
    sunny: Vector
    """The light on what the sun meets."""
    shady: Vector
    shadows: float
    """Share of the light that a shadow takes from the ground; 0 = no sun."""


_WEATHERS = (
    Weather((62, 118, 206), (206, 222, 236), (0.1, 0.65), (1.16, 1.1, 0.98), (0.7, 0.75, 0.86), 0.54),
    Weather((78, 116, 190), (250, 216, 178), (0.1, 0.6), (1.22, 1.04, 0.82), (0.68, 0.69, 0.8), 0.52),
    Weather((160, 172, 188), (214, 218, 222), (0.85, 1.0), (0.98, 0.98, 0.99), (0.9, 0.92, 0.95), 0.0),
)
_SHARES = (0.6, 0.25, 0.15)


@dataclass(frozen=True)
class Sky:
    zenith: Float[np.ndarray, "3"]
    horizon: Float[np.ndarray, "3"]
    cloudiness: float


@dataclass(frozen=True)
class Layout:
    """The cross-section of the street, in metres from its middle."""

    lane: float
    road: float
    walls: float

    @property
    def pavement(self) -> float:
        return self.walls - self.road


def layout(rng: np.random.Generator) -> Layout:
    lane = float(rng.uniform(3.3, 3.7))
    road = lane + float(rng.uniform(2.2, 2.6))
    return Layout(lane, road, road + float(rng.uniform(2.8, 4.0)))


def weather(rng: np.random.Generator) -> Weather:
    return _WEATHERS[rng.choice(len(_WEATHERS), p=_SHARES)]


def sky(rng: np.random.Generator, day: Weather) -> Sky:
    zenith = np.array(day.zenith) + rng.uniform(-10, 10, 3)
    return Sky(zenith, np.array(day.horizon) + rng.uniform(-6, 6), float(rng.uniform(*day.cloudiness)))


def light(rng: np.random.Generator, day: Weather) -> Light:
    """The sun stands left or right of the street, mostly behind the camera; what it does not reach is bluish."""
    strength = (float(rng.uniform(0.94, 1.04)),) * 3
    lit, dark = tinted(day.sunny, strength), tinted(day.shady, strength)
    sun = Sun(x=float(rng.choice([-1, 1]) * rng.uniform(0.32, 0.6)), z=float(rng.uniform(-0.15, 0.45)))
    return Light(
        to_right=dark if sun.x > 0 else lit,
        to_left=lit if sun.x > 0 else dark,
        to_camera=mix(dark, lit, 0.45 + sun.z),
        up=tinted(lit, (1.04,) * 3),
        sun=sun if day.shadows else None,
    )


def textures(rng: np.random.Generator, street: Layout, above: Sky, shade: float) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    grain = ground.asphalt(rng)
    pavement = ground.pavement(rng, street.pavement)
    painted = {
        "road.0": ground.road(rng, grain, street.road, street.lane, crossing=False),
        "road.1": ground.road(rng, grain, street.road, street.lane, crossing=False),
        "road.crossing": ground.road(rng, grain, street.road, street.lane, crossing=True),
        "pavement.left": pavement,
        "pavement.right": pavement[:, ::-1],
        "kerb": ground.kerb(rng),
        "grass": ground.grass(rng),
        "hedge": ground.hedge(rng),
        "wall": ground.wall(rng),
        "fence": ground.fence(rng),
        "sky": nature.sky(rng, above.zenith, above.horizon, above.cloudiness),
        "skyline": nature.skyline(rng, above.horizon),
        "trunk": nature.trunk(rng),
        "shadow.contact": shadows.contact(),
        "shadow.edge": shadows.edge(shade),
        "shadow.box": shadows.box(shade),
    }
    for kind in range(NUM_CROWNS):
        painted[f"crown.{kind}"] = nature.crown(rng)
        painted[f"shadow.crown.{kind}"] = shadows.leaves(painted[f"crown.{kind}"], shade)
    return painted | _houses(rng) | _cars(rng) | _people(rng) | _furniture()


def _houses(rng: np.random.Generator) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    painted: dict[str, UInt8[np.ndarray, "h w 4"]] = {}
    uneven = facades.plaster(rng)
    for number in range(NUM_FRONTS):
        style = facades.style(rng)
        painted |= {f"front.{number}": facades.front(rng, style, uneven), f"blind.{number}": facades.blind(rng, style, uneven)}
    gable = facades.gable()
    return painted | {
        "cornice": facades.cornice(rng),
        "roof": facades.roof(rng),
        "gable.right": gable,
        "gable.left": gable[:, ::-1],
        "chimney": facades.chimney(rng),
    }


def _cars(rng: np.random.Generator) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    painted: dict[str, UInt8[np.ndarray, "h w 4"]] = {}
    for number, choice in enumerate(rng.choice(len(_PAINTS), NUM_CARS, replace=False)):
        paint, shape, name = _PAINTS[choice], cars.SHAPES[number % len(cars.SHAPES)], f"car.{number}"
        body, cabin = cars.side(paint, shape), cars.cabin(paint, shape)
        painted |= {f"{name}.body.side": body, f"{name}.body.flipped": body[:, ::-1]}
        painted |= {f"{name}.cabin.side": cabin, f"{name}.cabin.flipped": cabin[:, ::-1]}
        painted |= {f"{name}.rear": cars.rear(paint, shape), f"{name}.front": cars.front(paint, shape)}
        painted |= {f"{name}.screen": cars.screen(paint, shape), f"{name}.top": cars.top(paint)}
    return painted


def _people(rng: np.random.Generator) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    painted: dict[str, UInt8[np.ndarray, "h w 4"]] = {}
    for number, choice in enumerate(rng.choice(len(_CLOTHES), NUM_OUTFITS, replace=False)):
        shirt, skin = _CLOTHES[choice], _SKIN[rng.integers(len(_SKIN))]
        hair, trousers = _HAIR[rng.integers(len(_HAIR))], _TROUSERS[rng.integers(len(_TROUSERS))]
        name = f"person.{number}"
        painted |= {f"{name}.front": people.front(shirt, skin, hair), f"{name}.back": people.back(shirt, skin, hair)}
        painted |= {f"{name}.leg": people.leg(trousers), f"{name}.arm": people.arm(shirt, skin)}
    return painted


def _furniture() -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    lamp = furniture.lamp()
    return {
        "lamp.right": lamp,
        "lamp.left": lamp[:, ::-1],
        "pole": furniture.pole(),
        **{f"sign.{kind}": furniture.sign(kind) for kind in range(NUM_SIGNS)},
        "light": furniture.traffic_light(),
    }
