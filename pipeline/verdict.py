"""What the scores say, in words: made from the numbers alone, so that a lost comparison is told like a won one."""

from typing import Any

from pipeline.metrics.measures import FULL, MEASURES, METHODS, REAL, Measure

DIGITS = {
    **{"warping_error": ".6f", "gradient_energy_ratio": ".3f", "psnr": ".2f", "ssim": ".3f", "miou": ".3f"},
    **{"video_fid": ".3f", "kernel_video_distance": ".4f"},
}


def shown(key: str, value: float | None) -> str:
    return "–" if value is None else format(value, DIGITS[key])


def best(scores: dict[str, Any]) -> dict[str, list[str]]:
    """By measure: the methods that no other one beats; the real video does not take part."""
    methods = [method for method in METHODS if method in scores and method != REAL]
    return {measure.key: [m for m in methods if _unbeaten(m, measure, methods, scores)] for measure in MEASURES}


def verdict(scores: dict[str, Any]) -> list[str]:
    """Sentences, the comparison with the same generator without the past first."""
    alone = "The generator without the past was not trained: nothing to compare with."
    return [
        _against_per_frame(scores) if "per_frame" in scores else alone,
        *(_against_trivial(method, scores) for method in ("copy_first_frame", "mean_colour_per_label") if method in scores),
        _basis(scores),
        _windows(scores["video_network"][0]),
    ]


def _unbeaten(method: str, measure: Measure, methods: list[str], scores: dict[str, Any]) -> bool:
    value = scores[method][measure.key]
    return value is not None and not any(measure.is_better(scores[other][measure.key], value) for other in methods)


def _against_per_frame(scores: dict[str, Any]) -> str:
    won, lost = _won_and_lost("per_frame", scores)
    if not lost:
        return f"vid2vid is better than the same generator without the past in all {len(won)} measures: {_list(won)}."
    if not won:
        return f"vid2vid is NOT better than the same generator without the past in any measure: {_list(lost)}."
    return f"vid2vid is better than the same generator without the past in {_list(won)}; it is NOT better in {_list(lost)}."


def _against_trivial(method: str, scores: dict[str, Any]) -> str:
    won, lost = _won_and_lost(method, scores)
    if not lost:
        return f"It is better than “{METHODS[method]}” in all {len(won)} measures."
    return f"It is NOT better than “{METHODS[method]}” in {_list(lost)}."


def _won_and_lost(method: str, scores: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Measures with both values, vid2vid's first."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    for measure in MEASURES:
        value, other = scores[FULL][measure.key], scores[method][measure.key]
        better = measure.is_better(value, other)
        if better is not None:
            sides[better].append(f"{_name(measure, scores)} ({shown(measure.key, value)} against {shown(measure.key, other)})")
    return sides[True], sides[False]


def _name(measure: Measure, scores: dict[str, Any]) -> str:
    random = measure.of_windows and not scores["video_network"][0]["weights_given"]
    return f"{measure.label} of random features" if random else measure.label


def _basis(scores: dict[str, Any]) -> str:
    clips, frames = scores["test"]["clips"], scores["test"]["frames"]
    clips_word = "clip" if clips == 1 else "clips"
    given = scores["test"]["given_frames"]
    left_out = f" The {given} real frames that vid2vid was given to begin with count for no method." if given else ""
    return (
        f"Measured on {clips} test {clips_word} with {frames} frames, after one training each: small differences can be chance.{left_out}"
    )


def _windows(network: dict[str, Any]) -> str:
    shared = ", which share frames" if network["window_stride"] < network["window_frames"] else ""
    few = (
        f" These are few, no more than the {network['features']} features: both values can be chance, and video FID is too high."
        if network["windows"] <= network["features"]
        else ""
    )
    return f"Video FID and kernel video distance ({network['features_are']}): {network['windows']} windows a side{shared}.{few}"


def _list(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
