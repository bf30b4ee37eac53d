"""A world that closed forms describe: one level ground, a sky, and what a test puts there."""

from functools import cache

import numpy as np

from pipeline.street_world import labels, shadows, street
from pipeline.street_world.camera import Drive
from pipeline.street_world.panels import Panel, Thing, facing, lying
from pipeline.street_world.world import World, build

GROUND_METRES = 0.01
"""How high the ground lies, which is as high as shadows do."""


@cache
def street_of(seed: int) -> World:
    return street.world(seed, 12, approach=False)


def still_world(*, speed: float, extra: list[Thing]) -> World:
    """The camera drives straight ahead in the middle; the ground has one colour."""
    ground = Panel(lying(-200.0, 200.0, -5.0, 400.0, GROUND_METRES), texture="car.0.top", label=labels.ROAD)
    sky = Panel(facing(0, -9e3, 5e3, 2e4, 2e4), texture="sky", label=labels.SKY)
    far_away = shadows.contact(1.0, 900.0, 901.0)
    return build(
        [Thing(panels=[sky], follows_camera=True), Thing(panels=[ground, far_away]), *extra],
        drive=Drive(lane=0.0, speed=speed, sway=np.zeros((4, 2))),
        atlas=street_of(0).atlas,
        haze=np.zeros(3),
    )
