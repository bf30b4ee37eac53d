"""Optical flow and occlusion against closed forms and against brute force."""

from functools import cache

import cv2
import numpy as np
import pytest

from pipeline.street_world import labels, render, street, things
from pipeline.street_world.camera import HEIGHT_METRES, Drive, intrinsics
from pipeline.street_world.panels import Panel, Thing, facing
from pipeline.street_world.raster import is_solid, look, rasterise
from pipeline.street_world.render import _frames, _see
from pipeline.street_world.truth import Seen, motion
from pipeline.street_world.world import World, build, frames_at

WIDTH, HEIGHT = 96, 48


@cache
def street_of(seed: int) -> World:
    return street.world(seed, 12, approach=False)


def still_world(seed: int, *, speed: float, extra: list[Thing]) -> World:
    """The street of a seed without traffic, and a camera that drives straight ahead in the middle."""
    full = street_of(seed)
    drive = Drive(lane=0.0, speed=speed, sway=np.zeros((4, 2)))
    rgb = np.zeros(3)
    ground = things.shadow(200.0, -5.0, 400.0)
    sky = Panel(facing(0, -9e3, 5e3, 2e4, 2e4), texture="sky", label=labels.SKY)
    nothing = things.shadow(1.0, 900.0, 901.0)
    return build(
        [Thing(panels=[sky], follows_camera=True), Thing(panels=[ground], shadows=[nothing]), *extra],
        drive=drive,
        atlas=full.atlas,
        haze=rgb,
    )


def test_ground_under_forward_motion_follows_the_closed_form() -> None:
    """A ground pixel v rows under the horizon is f h / v metres away; it was `step` metres farther before."""
    speed, stride = 0.4, 3
    frame = list(_frames(still_world(0, speed=speed, extra=[]), 5, WIDTH, HEIGHT, (stride,)))[4]
    (focal, _, centre), (_, _, horizon), _ = intrinsics(WIDTH, HEIGHT)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    ground_height = HEIGHT_METRES - 0.01
    below = rows > horizon + 3
    depth = focal * ground_height / np.where(below, rows - horizon, np.nan)
    shrink = depth / (depth + speed * stride)
    expected = np.stack([(columns - centre) * (shrink - 1), (rows - horizon) * (shrink - 1)], axis=-1)
    assert np.abs(frame.optical_flow[stride] - expected)[below].max() < 1e-3
    assert frame.visible[stride][below].mean() > 0.99


def test_a_moving_car_follows_the_closed_form() -> None:
    """Its rear, 9 m away and square to the camera, keeps its distance and so stands still in the picture but for x."""
    car = Thing(
        panels=things.car(0, things.Light(*[(1.0, 1.0, 1.0)] * 4), oncoming=False),
        start=(0.0, 0.0, 9.0),
        velocity=(0.05, 0.0, 0.4),
        instance=7,
    )
    frame = list(_frames(still_world(0, speed=0.4, extra=[car]), 3, WIDTH, HEIGHT, (1,)))[2]
    focal, horizon = intrinsics(WIDTH, HEIGHT)[0, 0], intrinsics(WIDTH, HEIGHT)[1, 2]
    rear = (frame.instance == 7) & (np.arange(HEIGHT)[:, None] > horizon + focal * 0.8 / 9)
    assert rear.sum() > 20
    expected = np.array([-0.05 * focal / 9, 0.0])
    assert np.abs(frame.optical_flow[1][rear] - expected).max() < 1e-4


@pytest.mark.parametrize("seed", [0, 4])
def test_road_points_project_as_opencv_projects_them(seed: int) -> None:
    """The swaying camera of a real clip; road pixels are met with y = 0 by hand and projected by cv2.projectPoints."""
    now, stride = 6, 3
    frame = list(render(seed=seed, num_frames=now + 1, width=WIDTH, height=HEIGHT, strides=(stride,), approach=False))[now]
    world = street_of(seed)
    lens = intrinsics(WIDTH, HEIGHT)
    camera, earlier = world.camera(now, WIDTH, HEIGHT), world.camera(now - stride, WIDTH, HEIGHT)
    rows, columns = np.nonzero(frame.label == labels.ROAD)
    rays = np.linalg.solve(camera.matrix, np.stack([columns, rows, np.ones(len(rows))]).astype(float))
    points = camera.position[:, None] - rays * (camera.position[1] / rays[1])
    turned = np.linalg.solve(lens, earlier.matrix) @ (points - earlier.position[:, None])
    pixels, _ = cv2.projectPoints(turned.T.copy(), np.zeros(3), np.zeros(3), lens, np.zeros(5))
    expected = pixels[:, 0] - np.stack([columns, rows], axis=1)
    assert len(rows) > 500
    assert np.abs(frame.optical_flow[stride][rows, columns] - expected).max() < 0.01


@pytest.mark.parametrize("stride", [1, 3])
def test_visibility_equals_that_of_a_search_through_all_panels(stride: int) -> None:
    """Up to parts thinner than half a pixel: measured over 5 seeds, 1 pixel in 1,000 differs."""
    now, then = 5, 5 - stride
    world = street_of(0)
    later, before = _see(world, now, WIDTH, HEIGHT), _see(world, then, WIDTH, HEIGHT)
    camera = world.camera(then, WIDTH, HEIGHT)
    frames = frames_at(world, later.panels, then, camera)
    frames[:, :, 2] -= camera.position
    found = motion(later, before, camera.matrix @ frames, world.atlas)
    expected, asked = exhaustive(world, later, before, found.optical_flow, camera.matrix @ frames)
    assert (found.visible.ravel() != expected)[asked].mean() < 0.003


def exhaustive(world: World, now: Seen, then: Seen, optical_flow: np.ndarray, to_image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Visibility by asking every drawn panel of the earlier frame; and for which pixels the question makes sense."""
    owner = now.raster.panels[1::2, 1::2].ravel()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    u, v = (columns + optical_flow[..., 0]).ravel(), (rows + optical_flow[..., 1]).ravel()
    at = np.stack([columns.ravel(), rows.ravel(), np.ones(u.size)])
    texel = np.einsum("nij,jn->ni", now.view.to_texture[owner], at)
    depth = np.einsum("nij,nj->ni", to_image[owner], texel / texel[:, 2:])[:, 2]
    inside = (u >= 0) & (u <= WIDTH - 1) & (v >= 0) & (v <= HEIGHT - 1) & (depth > 0.05)
    place = {number: place for place, number in enumerate(then.numbers.tolist())}
    own = np.array([place.get(number, -1) for number in now.numbers[owner].tolist()])
    seen = inside & (own >= 0) & then.view.bounds[own].any(axis=1)
    seen &= is_solid(then.view, own, u, v, world.atlas)
    for panel in np.flatnonzero(then.view.bounds.any(axis=1)):
        inverse, across, along = (
            row @ np.stack([u, v, np.ones(u.size)]) for row in (then.view.to_texture[panel, 2], *then.view.spans[panel])
        )
        covers = (inverse * depth > 1 + 1e-4) & (np.abs(across) <= inverse) & (np.abs(along) <= inverse)
        seen &= ~(covers & (own != panel) & is_solid(then.view, np.full(u.size, panel), u, v, world.atlas))
    return seen, inside


def test_what_stands_nearer_hides_what_stands_farther() -> None:
    world = street_of(0)
    seen = _see(world, 0, WIDTH, HEIGHT)
    alone = np.stack([_depth_alone(world, seen, panel) for panel in np.unique(seen.raster.panels)])
    assert np.array_equal(alone.max(axis=0), seen.raster.inverse_depth)


def _depth_alone(world: World, seen: Seen, panel: int) -> np.ndarray:
    one = seen.panels.take(np.array([panel]))
    camera = world.camera(0, WIDTH, HEIGHT)
    view = look(camera, one, frames_at(world, one, 0, camera), world.atlas, WIDTH, HEIGHT)
    return rasterise(view, one, world.atlas, WIDTH, HEIGHT).inverse_depth
