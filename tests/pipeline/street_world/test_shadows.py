"""Shadows on the ground, against where the rays of the sun end."""

import numpy as np
import pytest

from pipeline.street_world import labels, shadows
from pipeline.street_world.camera import HEIGHT_METRES, intrinsics
from pipeline.street_world.panels import Panel, Thing, facing
from pipeline.street_world.render import _frames
from pipeline.street_world.shadows import Sun
from tests.pipeline.street_world.still_world import GROUND_METRES, still_world

WIDTH, HEIGHT = 192, 96


def darkened(panels: list[Panel]) -> np.ndarray:
    """What is left of the light, at each pixel."""
    with_them, without = (next(_frames(still_world(speed=0.0, extra=extra), 1, WIDTH, HEIGHT, ())) for extra in ([Thing(panels)], []))
    return with_them.rgb.mean(axis=-1) / without.rgb.mean(axis=-1)


def on_the_ground() -> tuple[np.ndarray, np.ndarray]:
    """x and z in metres of the ground at each pixel below the horizon; nan above."""
    (focal, _, centre), (_, _, horizon), _ = intrinsics(WIDTH, HEIGHT)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    z = focal * (HEIGHT_METRES - GROUND_METRES) / np.where(rows > horizon + 1, rows - horizon, np.nan)
    return (columns - centre) * z / focal, z


@pytest.mark.parametrize("side", [-1, 1])
def test_a_wall_darkens_the_ground_from_where_its_top_hides_the_sun(side: int) -> None:
    """A ray through (x, z) meets the wall at the height |x - wall| / sun.x, at z - sun.z times that."""
    sun, wall = Sun(x=-side * 0.5, z=0.3), side * 2.0
    left = darkened(shadows.of_wall(sun, wall, 6.0, 9.0, 4.0))
    x, z = on_the_ground()
    height = (x - wall) / sun.x
    foot = z - sun.z * height
    row, column = z**2 / (0.75 * WIDTH * HEIGHT_METRES), z / (0.75 * WIDTH)  # metres of the ground in a pixel
    inside = (height > 4 * column) & (height < 3.7 - 4 * column) & (foot > 6 + 2 * row) & (foot < 9 - 2 * row)
    outside = (height < -4 * column) | (height > 4 + 4 * column) | (foot < 5.6 - 2 * row) | (foot > 9.4 + 2 * row)
    assert inside.sum() > 200
    assert left[inside].max() < 0.65
    assert (left[outside] == 1).all()


def test_the_middle_of_a_crown_throws_its_shadow_where_the_sun_says() -> None:
    sun = Sun(x=0.4, z=0.3)
    left = darkened(shadows.of_crown(sun, -1.0, 6.0, 4.0, 2.5, 0))
    x, z = on_the_ground()
    taken = np.where(np.isfinite(x), (1 - left) * z**3, 0.0)  # a pixel shows z ** 3 of the ground
    middle = [float((taken * np.nan_to_num(values)).sum() / taken.sum()) for values in (x, z)]
    np.testing.assert_allclose(middle, (-1.0 + 0.4 * 4.0, 6.0 + 0.3 * 4.0), atol=0.25)


def test_shadows_fall_on_the_ground_alone() -> None:
    """Not on a board that stands in front of them."""
    board = Panel(facing(0.0, 0.2, 5.0, 20.0, 1.0), texture="wall", label=labels.WALL)
    shadow = shadows.contact(4.0, 6.0, 9.0)
    left = darkened([shadow])
    behind = next(_frames(still_world(speed=0.0, extra=[Thing([board, shadow])]), 1, WIDTH, HEIGHT, ()))
    lit = next(_frames(still_world(speed=0.0, extra=[Thing([board])]), 1, WIDTH, HEIGHT, ()))
    on_board = (
        (behind.label == labels.WALL)
        & (np.roll(behind.label, 1, axis=0) == labels.WALL)
        & (np.roll(behind.label, -1, axis=0) == labels.WALL)
    )
    assert (left[on_board] < 0.8).any()
    assert np.array_equal(behind.rgb[on_board], lit.rgb[on_board])


def test_without_sun_nothing_throws_a_shadow() -> None:
    assert shadows.of_wall(None, 2.0, 0.0, 1.0, 4.0) == shadows.of_post(None, 0, 0, 1, 2) == shadows.of_car(None, 2, 4, 1) == []
