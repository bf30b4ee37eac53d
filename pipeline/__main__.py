"""python -m pipeline ...: what a person does around the stages. `dvc repro` runs the stages themselves."""

import argparse
import os
import sys
from pathlib import Path

from pipeline import before_work, checking, clip_list, layout, new_dataset, params, prepare, store_care, weights_care
from pipeline.errors import InputError, storage_problem
from pipeline.journey import STAGES
from pipeline.params_file import load


def main() -> None:
    arguments = _parser().parse_args()
    try:
        arguments.do(arguments)
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # `... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its end
        sys.exit(1)
    except OSError as error:
        if problem := storage_problem(error):
            sys.exit(f"error: {problem}")
        raise
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("scan", help="list the raw files of data sets for DVC; after raw files were added or changed")
    command.add_argument("dataset", nargs="*", help="none: all of params.yaml's datasets")
    command.set_defaults(do=_scan)

    command = commands.add_parser("check", help="what a data set's folder holds, against what it should hold; before any work")
    command.add_argument("dataset")
    command.set_defaults(do=_check)

    command = commands.add_parser("describe", help="clips, frames, seconds, sizes and class shares of a data set's splits")
    command.add_argument("dataset")
    command.set_defaults(do=_describe)

    command = commands.add_parser("catalog", help="data sets that new-dataset can add")
    command.set_defaults(do=_catalog)

    command = commands.add_parser("new-dataset", help="add a data set to params.yaml: one of the catalog, or a folder of your own")
    command.add_argument("name")
    command.add_argument("--path", required=True, help="folder of the raw files")
    command.add_argument("--like", help="entry of the catalog or of datasets to copy, if it is not NAME itself")
    command.add_argument("--weights-from", metavar="DATASET", help="data set whose segmentation model labels this one")
    command.set_defaults(do=_new_dataset)

    command = commands.add_parser("synthesize", help="videos from maps by a trained generator, without a data set and its stages")
    _add_synthesis(command)

    command = commands.add_parser("store", help="size of finished results; verify or prune them")
    command.add_argument("action", nargs="?", choices=["size", "verify", "prune"], default="size")
    command.set_defaults(do=_store)

    command = commands.add_parser("weights", help="trained weights by name: what there is, fetch, verify, add")
    _add_weights(command.add_subparsers(required=True, metavar="ACTION"))
    return parser


def _add_synthesis(command: argparse.ArgumentParser) -> None:
    said = command.add_argument
    said("--checkpoint", type=Path, required=True, help="folder with generator.safetensors and generator.json: data/NAME/train, or a copy")
    said("--maps", type=Path, required=True, help="data/NAME, or plain files as docs/operations.md shows them, of one video or of several")
    said("--clip", help="of a data set: this one; else all its test clips")
    said("--out", type=Path, required=True, help="the mp4; of several videos the folder for them")
    said("--lossless", type=Path, help="the frames, too: an array file (.zip), or a new folder for images")
    said("--image-generator", type=Path, metavar="FOLDER", help="makes the first frames: data/NAME/train_image_generator, or a copy")
    said("--first-frames", type=Path, metavar="FOLDER", help="real first frames: images, or a clip's folder of data/NAME/clips")
    said("--frames-per-second", type=float, metavar="RATE", help="of the mp4; needed where maps are plain files")
    said("--device", choices=["cpu", "cuda"], help="else params.yaml's machine.device")
    said("--batch", type=int, default=1, metavar="N", help="so many videos of one size are made side by side")
    command.set_defaults(do=_synthesize)


def _add_weights(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    action = actions.add_parser("list", help="every name that params.yaml may take for a path of weights, and whether its file is there")
    action.set_defaults(do=lambda arguments: weights_care.show())

    action = actions.add_parser("fetch", help="fetch files over https, going on where an earlier try stopped, and verify them")
    action.add_argument("name", nargs="+")
    action.set_defaults(do=lambda arguments: weights_care.fetch(arguments.name))

    action = actions.add_parser("verify", help="read files whole and compare them with the table; status 1 where one is damaged")
    action.add_argument("name", nargs="*", help="none: all that are there")
    action.set_defaults(do=lambda arguments: weights_care.verify(arguments.name))

    action = actions.add_parser("add", help="take a copy of a file that came some other way, if it is the right one")
    action.add_argument("name")
    action.add_argument("file", type=Path)
    action.set_defaults(do=lambda arguments: weights_care.add(arguments.name, arguments.file))


def _scan(arguments: argparse.Namespace) -> None:
    for dataset in arguments.dataset or load(layout.PARAMS).datasets():
        files = prepare.run(dataset)
        print(f"{dataset}: {len(files)} files, {files['bytes'].sum() / 1e6:.1f} MB")


def _check(arguments: argparse.Namespace) -> None:
    if not checking.run(arguments.dataset):
        sys.exit(1)


def _describe(arguments: argparse.Namespace) -> None:
    load(layout.PARAMS).require(arguments.dataset)
    print(clip_list.described(arguments.dataset))


def _catalog(arguments: argparse.Namespace) -> None:
    all_params = load(layout.PARAMS)
    for name in all_params.catalog():
        state = "added" if name in all_params.datasets() else f"python -m pipeline new-dataset {name} --path FOLDER"
        print(f"{name:16}{all_params.source(name).kind:15}{state}")


def _new_dataset(arguments: argparse.Namespace) -> None:
    name = arguments.name
    new_dataset.run(name, Path(arguments.path), arguments.like or name, arguments.weights_from)
    print(f"{layout.PARAMS} has {name} now. {_next_step(name)}")


def _next_step(name: str) -> str:
    all_params = load(layout.PARAMS)
    try:
        before_work.check(STAGES["clips"], name, all_params)
    except InputError as missing:
        return f"Before it can run: {missing}"
    scanned = dict.fromkeys([name, all_params.section(params.Segmentation, name).weights_from])
    last = "clips" if not before_work.has_maps(name, all_params) else "report"
    return f"Next: python -m pipeline scan {' '.join(scanned)} && dvc repro {last}@{name}"


def _synthesize(arguments: argparse.Namespace) -> None:
    from pipeline import maps_to_video, video_orders  # torch takes seconds

    for path in maps_to_video.run(video_orders.Order(**{name: value for name, value in vars(arguments).items() if name != "do"})):
        print(path)


def _store(arguments: argparse.Namespace) -> None:
    {"size": store_care.show_size, "verify": store_care.verify, "prune": store_care.prune}[arguments.action]()


if __name__ == "__main__":
    main()
