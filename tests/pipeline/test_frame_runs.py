from pipeline.frame_runs import listed, runs


def test_neighbours_are_put_together_and_named_in_short():
    frames = [0, 1, 2, 5, 7, 8]
    assert runs(frames) == [range(0, 3), range(5, 6), range(7, 9)]
    assert listed(frames) == "0-2, 5, 7-8"
    assert listed(frames, most=2) == "0-2, 5 ..."
    assert (runs([]), listed([])) == ([], "")
