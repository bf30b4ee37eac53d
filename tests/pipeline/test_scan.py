import errno
import os
import re
from pathlib import Path

import pytest

from pipeline import layout, scan, store
from pipeline.errors import InputError


def test_a_scan_lists_every_file_and_reads_only_what_changed(project, monkeypatch):
    raw = project / "raw"
    (raw / "with space").mkdir(parents=True)
    (raw / "with space" / "ä.png").write_bytes(b"1")
    (raw / "b.png").write_bytes(b"22")
    (raw / ".hidden").write_bytes(b"3")
    table = scan.run("mine", raw)
    assert table["path"].tolist() == ["b.png", "with space/ä.png"]
    assert table["bytes"].tolist() == [2, 1]
    first = layout.files_table("mine").read_bytes()

    read = []
    monkeypatch.setattr(scan, "file_sha256", lambda path: read.append(path.name) or store.file_sha256(path))
    scan.run("mine", raw)
    assert (read, layout.files_table("mine").read_bytes()) == ([], first)

    (raw / "b.png").write_bytes(b"23")
    os.utime(raw / "b.png", ns=(1, 1))
    scan.run("mine", raw)
    assert read == ["b.png"]
    assert layout.files_table("mine").read_bytes() != first


def test_a_folder_that_is_not_there_is_named(project):
    with pytest.raises(InputError, match=r"datasets\.mine\.source\.path: nowhere is no folder"):
        scan.run("mine", project.relative_to(project) / "nowhere")


def test_a_built_in_source_has_an_empty_table(project):
    assert scan.run("smoke", None).empty
    assert layout.files_table("smoke").read_text() == "path,bytes,sha256\n"
    assert scan.read(layout.files_table("smoke")) == {}


def test_a_link_that_leads_nowhere_is_named(project):
    (project / "raw").mkdir()
    (project / "raw" / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png: cannot be read"):
        scan.run("mine", project / "raw")


def test_all_links_that_lead_nowhere_are_named_at_once_as_far_as_ten(project):
    (project / "raw" / "deeper").mkdir(parents=True)
    (project / "raw" / "right.png").touch()
    for n in range(11):
        (project / "raw" / ("deeper" if n % 2 else ".") / f"gone{n:02d}.png").symlink_to("nowhere.png")
    with pytest.raises(InputError) as refused:
        scan.run("mine", project / "raw")
    sentence = str(refused.value)
    assert sentence.endswith(" and 1 more: links that lead nowhere? Remove them")
    assert len(re.findall(r"raw/(?:deeper/)?gone\d\d\.png: cannot be read \(No such file or directory\)", sentence)) == 10
    assert "right" not in sentence


def test_a_file_that_may_not_be_read_is_named(project, monkeypatch):
    (project / "raw").mkdir()
    (project / "raw" / "a.png").write_bytes(b"1")

    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(scan, "file_sha256", refuse)
    with pytest.raises(InputError, match=r"raw/a\.png: cannot be read .Permission denied"):
        scan.run("mine", project / "raw")


def test_a_name_in_another_encoding_is_refused_in_one_sentence(project):
    (project / "raw").mkdir()
    (project / "raw" / os.fsdecode(b"caf\xe9.mp4")).touch()
    with pytest.raises(InputError, match=r"raw/caf\?\.mp4: its name is no UTF-8 text: rename it"):
        scan.run("mine", project / "raw")


def test_any_name_that_is_text_is_listed_as_it_is(project):
    names = sorted(["a\nb.mp4", "Tänze 舞.mp4", "-x.mp4", 'a"b,c.mp4', " .mp4"])
    (project / "raw").mkdir()
    for name in names:
        (project / "raw" / name).touch()
    scan.run("mine", project / "raw")
    assert sorted(scan.read(layout.files_table("mine"))) == names
