from pipeline.made_by import libraries, made
from pipeline.params import Synthesize


def test_one_key_is_shown_and_several_are_digested():
    made_by = {"key": "r" * 64, "inputs": {"train": {"*": "t" * 64}, "clips": {"a": "1", "b": "2"}}}
    parts = {part.stage: part for part in made(made_by, {}, {})}
    assert (parts["train"].key, parts["train"].results) == ("t" * 12, 1)
    assert parts["clips"].results == 2 and parts["clips"].key not in ("1", "2")
    assert parts["report"].key == "r" * 12


def test_parameters_are_those_of_the_files_or_those_that_count_of_the_section_and_flat():
    made_by = {"key": "k", "inputs": {"clips": {"a": "1"}, "synthesize": {"*": "2"}}}
    parameters = {"p": {"size": {"width": 4, "on": True}, "none": None, "name": "x", "empty": {}}}
    attributes = {"clips": {"parameters": parameters, "code": "c" * 64}}
    section = Synthesize(first_frame="itself", part_frames=9, crf=18)
    parts = {part.stage: part for part in made(made_by, attributes, {"synthesize": section})}
    assert parts["clips"].parameters == {"size.width": "4", "size.on": "true", "none": "null", "name": "x", "empty": "{}"}
    assert parts["clips"].code == "c" * 12
    assert parts["synthesize"].parameters == {"first_frame": "itself", "crf": "18"}


def test_libraries_of_all_stages_are_listed_once():
    attributes = {"a": {"libraries": {"torch": "2", "av": "1"}}, "b": {"libraries": {"torch": "3"}}, "c": {}}
    assert libraries(attributes) == {"av": "1", "torch": "2, 3"}
