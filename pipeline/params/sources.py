"""Where frames come from: `datasets.NAME.source`."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from pipeline.params.section import Count, CountOrZero, Fraction, Pixels, Rate, Section


class SampleStreet(Section):
    """The built-in street world, drawn by a seed; needs no files."""

    kind: Literal["sample_street"]
    seed: CountOrZero
    width: Pixels
    height: Pixels
    """Rendered size in pixels; `clips` scales it if it wants another."""
    train_clips: Count
    train_frames: Count
    test_clips: Count
    test_frames: Count
    long_frames: CountOrZero
    """One more test clip, a long one; 0 = none."""
    approach_frames: CountOrZero
    """One more test clip, in which the camera comes close to a standing car and stops; 0 = none."""
    strides: list[Count]
    """Strides of the true optical flow that is kept beside the frames."""
    frames_per_second: Count


class Frames(Section):
    """Folders of images, one folder a sequence, with label images of some or all frames."""

    kind: Literal["frames"]
    path: str
    frames: str
    """Folder of images below `path`; its subfolders are the sequences, or it is one sequence itself."""
    labels: str | None
    """Folder of label-id images with the same subfolders and file names; null = none."""
    labels_cover: Literal["all", "some"]
    """`all`: a frame without a label image is refused."""
    palette: str | None
    """Built-in palette or path of a palette file; needed with labels."""
    splits: str | None
    """A table (CSV) below `path` with columns sequence (a folder) and split (train, test or none); null = as follows."""
    test_sequences: list[str]
    test_frames: CountOrZero
    """The last frames of every other sequence are for testing, too."""
    take_every: Count
    """Every n-th image alone is a frame."""
    frames_per_second: Rate
    """Of the images that are taken."""
    scene_threshold: PositiveFloat | None
    """As for `videos`."""


class VideoFiles(Section):
    """How videos are read, whatever they show."""

    path: str
    frames_per_second: Rate | None
    """Frames are taken at this constant rate; null = all frames, of videos with a constant rate."""
    scene_threshold: PositiveFloat | None
    """Clips end where the scene changes: how many times a frame's difference to the one before must exceed that of its neighbours,
    3 for most videos; null = each video is one shot."""


class Videos(VideoFiles):
    """A folder of videos (mp4, mov, mkv, avi, webm), one file a sequence; no labels."""

    kind: Literal["videos"]
    splits: str | None
    """A table (CSV) below `path` with columns sequence (name of a file) and split (train, test or none); null = as follows."""
    test_videos: list[str]
    """Files below `path`, or folders of files, that are for testing."""
    test_frames: CountOrZero
    """The last frames of every other video are for testing, too."""


class FaceForensics(VideoFiles):
    """Videos of talking people, such as FaceForensics and FaceForensics++; each clip shows one face."""

    kind: Literal["faceforensics"]
    folders: Annotated[list[str], Field(min_length=1)]
    """Folders of original videos below `path`, in one quality; those of manipulated ones are refused."""
    splits: str | None
    """A table (CSV) below `path` with columns sequence (path of a file) and split (train, test or none); null = as follows."""
    test_share: Fraction
    """Of the people (by a hash of the video's name: stable when videos are added); the others are for training."""
    face_weights: str | None
    """YuNet, which finds the faces: name in `python -m pipeline weights list`, or path (.onnx)."""
    face_every: Count
    """Every n-th frame is looked at."""
    face_lost: CountOrZero
    """Looks at a clip that may show no face; clips with more are left out and listed."""
    face_enlarge: PositiveFloat
    """Side of the square that is shown, in widths of the face."""
    face_follow: PositiveFloat | None
    """The square follows the face, its way smoothed by a Gaussian of this deviation in frames; null = it stays in its place."""


class Paired(Section):
    """Folders as vid2vid's readers want them: {train,test}_{A,B,inst} (label maps, frames, instances), or {train,test}_img with _keypoints
    (68 landmarks of a face), _openpose or _densepose."""

    kind: Literal["paired"]
    path: str
    palette: str | None
    """Built-in palette or path of a palette file, of the label maps; needed with `_A`."""
    frames_per_second: Rate


class Cityscapes(Section):
    """The official folders leftImg8bit_sequence and gtFine, and leftImg8bit/demoVideo where it is there."""

    kind: Literal["cityscapes"]
    path: str


class Apolloscape(Section):
    """The official folders roadNN_ins and roadNN_seg of ApolloScape's scene parsing; a record seen by one camera is a sequence."""

    kind: Literal["apolloscape"]
    path: str
    longest_gap_seconds: PositiveFloat
    """Clips end where the times in the file names jump by more: the camera takes a picture a metre, and traffic moves on at a stop."""


Source = SampleStreet | Frames | Videos | FaceForensics | Paired | Cityscapes | Apolloscape


def has_labels(source: Source) -> bool:
    """Whether some of its frames may have label images."""
    match source:
        case VideoFiles() | Frames(labels=None) | Paired(palette=None):
            return False
        case _:
            return True


SOURCES: dict[str, type[Source]] = {
    "sample_street": SampleStreet,
    "frames": Frames,
    "videos": Videos,
    "faceforensics": FaceForensics,
    "paired": Paired,
    "cityscapes": Cityscapes,
    "apolloscape": Apolloscape,
}
