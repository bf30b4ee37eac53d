"""Video files <-> RGB frames, through PyAV. Nothing else calls a codec.

Equal frames give equal bytes: one encoder thread, no clock, no version in the container. A broken video never gives fewer
frames silently: what is decoded is compared with what the file promises.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import UInt8

from pipeline.errors import InputError

BT709 = 1
"""Number of this standard's primaries and transfer curve in H.264; players guess wrongly where it is not written."""

SEEK_FRAMES = 15
"""A player can jump to every n-th frame without decoding others first."""

WITHOUT_LOOKAHEAD = "mbtree=0:bframes=0:scenecut=0"
"""x264's look-ahead reads memory that nobody wrote: at 64x32, 21 of 300 runs gave other bytes; without it none of 1,000."""

CODECS_WITH_HIDDEN_FRAMES = ("vp8",)
"""Some of their packets are never shown, so counting packets is not counting frames."""

STEADY = 0.5
"""Intervals between frames that differ by less than this share of the usual one are of a constant rate: containers round times."""

TIE_SECONDS = 0.001
"""Of two frames that are equally near, as far as containers write times, the earlier one is taken: always the same is even motion."""

HDR_CURVES = {16: "PQ", 18: "HLG"}
"""Transfer curves by their numbers in the streams. Taken for common video they look grey."""


@dataclass(frozen=True)
class VideoProperties:
    num_frames: int
    height: int
    width: int
    """As shown: after the rotation that phones write beside the frames."""
    frames_per_second: str
    """A fraction such as 30000/1001: the rate asked for, or else the mean one."""


def properties(path: Path, frames_per_second: float | None = None) -> VideoProperties:
    """Of all its frames, or of those of another rate.

    Reads the packets' headers and the first picture. InputError for what is no video, or not all of one, and for a rate that the
    video cannot give.
    """
    times = _times(path)
    with _reading(path) as container, _problems(path):
        stream = _video_stream(container, path)
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise InputError(f"{path}: says no frame rate; a video needs one")
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError(f"{path}: has no frames; a video needs at least one")
        height, width = _rotated(first).shape[:2]
    chosen = len(_chosen(times, frames_per_second, path))
    rate = Fraction(frames_per_second).limit_denominator(1001) if frames_per_second else rate
    return VideoProperties(chosen, height, width, f"{rate.numerator}/{rate.denominator}")


def frames(path: Path, frames_per_second: float | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """All frames one by one, or for another rate those nearest in time; a frame that stays longer comes several times.

    InputError as `properties`, and where a frame is damaged or missing, once it is reached.
    """
    times, decoded = _times(path), 0
    shown = np.bincount(_chosen(times, frames_per_second, path), minlength=len(times)).tolist()
    with _reading(path) as container, _problems(path):
        for frame in container.decode(_video_stream(container, path)):
            if frame.is_corrupt:
                raise InputError(f"{path}: frame {decoded} is damaged; a whole video is needed")
            if decoded < len(times) and shown[decoded]:
                yield from repeat(_rotated(frame), shown[decoded])
            decoded += 1
    if decoded != len(times):
        raise InputError(f"{path}: {decoded} of its {len(times)} frames can be decoded; a whole video is needed")


def _chosen(times: list[float], frames_per_second: float | None, path: Path) -> list[int]:
    """Numbers of the frames that give a constant rate, one after another; `None` = they have one, as they are."""
    if len(times) < 2:
        return list(range(len(times)))
    intervals = np.diff(times)
    usual = float(np.median(intervals))
    if frames_per_second is None:
        if np.abs(intervals - usual).max() > STEADY * usual:
            slowest, fastest = 1 / intervals.max(), 1 / max(intervals.min(), 1e-3)
            raise InputError(f"{path}: its frame rate varies, {slowest:.3g} to {fastest:.3g} frames/s: set source.frames_per_second")
        return list(range(len(times)))
    if frames_per_second * usual > 1.01:
        raise InputError(f"{path}: source.frames_per_second is {frames_per_second:g}, but it has {1 / usual:.4g}: that many at most")
    count = int((times[-1] - times[0] + TIE_SECONDS) * frames_per_second) + 1  # none after the last frame
    halfway = (np.array(times[1:]) + times[:-1]) / 2
    return np.searchsorted(halfway, times[0] + np.arange(count) / frames_per_second - TIE_SECONDS).tolist()


def write_mp4(path: Path, frames: Iterable[UInt8[np.ndarray, "h w 3"]], frames_per_second: str, crf: int) -> None:
    with writing_mp4(path, frames_per_second, crf) as append:
        for rgb in frames:
            append(rgb)


@contextmanager
def writing_mp4(path: Path, frames_per_second: str, crf: int) -> Iterator[Callable[[UInt8[np.ndarray, "h w 3"]], None]]:
    """H.264 that browsers play, frame by frame: what appends one. Odd sizes are padded by repeating the last row and column."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        streams: list[Any] = []

        def append(rgb: UInt8[np.ndarray, "h w 3"]) -> None:
            if not streams:
                streams.append(_h264_stream(container, _even(rgb), Fraction(frames_per_second), crf))
            frame = av.VideoFrame.from_ndarray(_even(rgb), format="rgb24")
            container.mux(streams[0].encode(_to_yuv(frame)))

        yield append
        container.mux(streams[0].encode(None))


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; a video is needed")
    with _problems(path):
        container = av.open(str(path), options={"err_detect": "explode"})
    with container:
        yield container


@contextmanager
def _problems(path: Path) -> Iterator[None]:
    """What the libraries raise about a file, in one sentence."""
    try:
        yield
    except (av.FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: is no whole video ({reason}); mp4, mov, mkv, avi or webm is needed") from None


def _video_stream(container: Any, path: Path) -> Any:
    stream = container.streams.best("video")
    if stream is None or stream.codec_context is None:
        raise InputError(f"{path}: has no video in it that can be decoded; mp4, mov, mkv, avi or webm is needed")
    if curve := HDR_CURVES.get(stream.codec_context.color_trc):
        raise InputError(
            f"{path}: is HDR video ({curve}); convert it to standard range first, for example with ffmpeg's filters zscale and tonemap"
        )
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"err_detect": "explode"}  # otherwise damage is painted over
    return stream


class _Packet(NamedTuple):
    pts: int | None
    duration: int | None
    is_discard: bool
    """Decoded, but not shown."""
    is_corrupt: bool


def _times(path: Path) -> list[float]:
    """When each frame is shown, in seconds, by the packets. InputError if the file's header promises more frames than there are."""
    with _reading(path) as container, _problems(path):
        stream = _video_stream(container, path)
        codec, promised, rate = stream.codec_context.name, stream.frames, float(stream.average_rate or stream.guessed_rate or 1)
        packets = [_Packet(p.pts, p.duration, p.is_discard, p.is_corrupt) for p in container.demux(stream) if p.size]
        missing_seconds, base = _promised_seconds(stream) - _end_seconds(packets, stream), float(stream.time_base)
    whole = sum(not packet.is_corrupt for packet in packets)
    if whole < max(promised, len(packets)):
        raise InputError(f"{path}: is cut off: {whole} of its {max(promised, len(packets))} frames are there; a whole video is needed")
    if missing_seconds > 2 / rate:
        raise InputError(f"{path}: is cut off: {missing_seconds:.2f} s are missing at its end; a whole video is needed")
    if codec in CODECS_WITH_HIDDEN_FRAMES:
        with _reading(path) as container, _problems(path):
            return _known_times([frame.pts for frame in container.decode(_video_stream(container, path))], base, rate)
    return _known_times([packet.pts for packet in packets if not packet.is_discard], base, rate)


def _known_times(pts: list[int | None], base: float, rate: float) -> list[float]:
    """In the order of showing. Some containers (AVI) have no times: their rate is constant."""
    known = sorted(p * base for p in pts if p is not None)
    return known if len(known) == len(pts) else [t / rate for t in range(len(pts))]


def _promised_seconds(stream: Any) -> float:
    """Where the container tells the stream's length in words, as Matroska does; otherwise 0."""
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _end_seconds(packets: list[_Packet], stream: Any) -> float:
    return max((float((p.pts + (p.duration or 0)) * stream.time_base) for p in packets if p.pts is not None), default=0.0)


def _rotated(frame: Any) -> UInt8[np.ndarray, "h w 3"]:
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))


def _even(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "height width 3"]:
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if height % 2 or width % 2 else rgb


def _h264_stream(container: Any, first: UInt8[np.ndarray, "h w 3"], rate: Fraction, crf: int) -> Any:
    stream = container.add_stream("libx264", rate=rate)
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": str(crf), "threads": "1", "flags": "+bitexact", "g": str(SEEK_FRAMES), "x264-params": WITHOUT_LOOKAHEAD}
    context = stream.codec_context
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries = context.color_trc = BT709
    return stream


def _to_yuv(frame: Any) -> Any:
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
