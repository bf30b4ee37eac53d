from pipeline.reached import reached

ROADS = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["b"], "e": ["a"]}


def test_all_that_roads_lead_to_is_reached_once_and_circles_end():
    assert reached(["a"], ROADS.__getitem__) == {"a", "b", "c", "d"}
    assert reached([], ROADS.__getitem__) == set()
