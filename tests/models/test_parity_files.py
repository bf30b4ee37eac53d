"""No number of the reference is forgotten."""

from pathlib import Path

TESTS = Path(__file__).parent


def test_every_file_of_the_reference_s_numbers_is_read_by_a_test(parity_folder):
    read = "".join(path.read_text() for path in TESTS.glob("test_*.py"))
    assert [path.stem for path in parity_folder.glob("*.safetensors") if f'"{path.stem}"' not in read] == []
