from offramp.pattern import full


def test_full_has_every_edge_whatever_the_block() -> None:
    expected = [[i, o] for o in range(4) for i in range(6)]
    for size in ((1, 1), (2, 1), (1, 4), (3, 2), (6, 4)):
        pattern = full(6, 4, block=size)
        assert pattern.edges().tolist() == expected
        assert (pattern.block, pattern.density) == (size, 1.0)
