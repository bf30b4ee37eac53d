"""The look of a clip: its light, its colours and its textures, from its random numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.street_world.textures import cars, facades, furniture, ground, nature, people
from pipeline.street_world.textures.canvas import Canvas, noise
from pipeline.street_world.things import Light, tinted
from pipeline.street_world.values import Colour, Vector

NUM_FRONTS = 6
NUM_PAINTS = 4
NUM_OUTFITS = 4
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


def sky(rng: np.random.Generator) -> Sky:
    evening = rng.uniform(0, 0.6)
    zenith = np.array([70.0, 124.0, 200.0]) + evening * np.array([20.0, 4.0, -14.0])
    horizon = np.array([204.0, 220.0, 234.0]) + evening * np.array([30.0, -4.0, -34.0])
    return Sky(zenith, horizon, float(rng.uniform(0.1, 0.75)))


def light(rng: np.random.Generator) -> Light:
    """The sun stands left or right of the street; what it does not reach is bluish."""
    sunny: Vector = (1.12, 1.07, 0.98)
    shady: Vector = (0.72, 0.76, 0.84)
    strength = float(rng.uniform(0.92, 1.04))
    lit, dark = tinted(sunny, (strength,) * 3), tinted(shady, (strength,) * 3)
    from_left = bool(rng.random() < 0.5)
    return Light(
        to_right=dark if from_left else lit,
        to_left=lit if from_left else dark,
        to_camera=tinted((0.94, 0.93, 0.92), (strength,) * 3),
        up=tinted((1.04, 1.02, 0.98), (strength,) * 3),
    )


def textures(rng: np.random.Generator, street: Layout, above: Sky) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
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
        "shadow": Canvas(1, 1, (16, 16), (0, 0, 0)).pixels,
    }
    painted |= {f"crown.{kind}": nature.crown(rng) for kind in range(NUM_CROWNS)}
    return painted | _houses(rng) | _cars(rng) | _people(rng) | _furniture()


def _houses(rng: np.random.Generator) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    fronts = {f"front.{number}": facades.front(rng) for number in range(NUM_FRONTS)}
    gable = Canvas(11, 2.2, (128, 32))
    gable.polygon([(0, 0), (11, 0), (11, 2.2), (1.3, 2.2)], (150, 132, 118))
    roof = Canvas(12, 2.5, (256, 64), (124, 84, 72))
    for row in range(8):
        roof.rectangle(0, row * 0.31, 12, row * 0.31 + 0.07, (96, 64, 56))
    roof.shade(1 + 0.08 * noise(rng, 64, 256, 0.5))
    return fronts | {
        "blind": facades.blind(rng),
        "cornice": facades.cornice(rng),
        "roof": roof.pixels,
        "gable.right": gable.filled(),
        "gable.left": gable.filled()[:, ::-1],
    }


def _cars(rng: np.random.Generator) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    painted: dict[str, UInt8[np.ndarray, "h w 4"]] = {}
    for number, choice in enumerate(rng.choice(len(_PAINTS), NUM_PAINTS, replace=False)):
        paint, name = _PAINTS[choice], f"car.{number}"
        body, cabin = cars.side(paint), cars.cabin(paint)
        painted |= {f"{name}.body.side": body, f"{name}.body.flipped": body[:, ::-1]}
        painted |= {f"{name}.cabin.side": cabin, f"{name}.cabin.flipped": cabin[:, ::-1]}
        painted |= {f"{name}.rear": cars.rear(paint), f"{name}.front": cars.front(paint)}
        painted |= {f"{name}.screen": cars.screen(paint), f"{name}.top": cars.top(paint)}
    return painted


def _people(rng: np.random.Generator) -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    painted: dict[str, UInt8[np.ndarray, "h w 4"]] = {}
    for number in range(NUM_OUTFITS):
        shirt, skin = _CLOTHES[rng.integers(len(_CLOTHES))], _SKIN[rng.integers(len(_SKIN))]
        hair, trousers = _HAIR[rng.integers(len(_HAIR))], _TROUSERS[rng.integers(len(_TROUSERS))]
        name = f"person.{number}"
        painted |= {f"{name}.trunk": people.trunk(shirt, skin, hair), f"{name}.leg": people.leg(trousers)}
        painted[f"{name}.arm"] = people.arm(shirt, skin)
    return painted


def _furniture() -> dict[str, UInt8[np.ndarray, "h w 4"]]:
    lamp = furniture.lamp()
    return {
        "lamp.right": lamp,
        "lamp.left": lamp[:, ::-1],
        "pole": furniture.pole(),
        **{f"sign.{kind}": furniture.sign(kind) for kind in range(NUM_SIGNS)},
        "light.green": furniture.traffic_light(green=True),
        "light.red": furniture.traffic_light(green=False),
    }
