from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.grid import Window
from pipeline.scenes import layout
from pipeline.scenes.files import Header

HEADER = Header((1100, 1300), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32631", "uint16", 0, (256, 512))


def test_keys_are_the_blocks_that_share_a_pixel_with_the_window() -> None:
    assert layout.keys(HEADER, Window(255, 511, 2, 2)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert layout.keys(HEADER, Window(256, 512, 256, 512)) == [(1, 1)]
    assert len(layout.keys(HEADER, Window(-50, -50, 2000, 2000))) == 5 * 3


def test_keys_of_a_window_that_misses_the_file_are_none() -> None:
    for window in (Window(1100, 5, 10, 10), Window(5, -20, 10, 20), Window(300, 5, 0, 10)):
        assert layout.keys(HEADER, window) == []


def test_extent_of_blocks_at_the_edge_ends_with_the_file() -> None:
    assert layout.extent(HEADER, [(3, 2), (4, 2)]) == Window(768, 1024, 332, 276)


@given(keys=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30))
@settings(max_examples=200)
def test_rectangles_cover_each_block_once_and_are_full(keys: set[tuple[int, int]]) -> None:
    groups = layout.rectangles(keys)
    assert sorted(key for group in groups for key in group) == sorted(keys)
    for group in groups:
        rows, cols = {row for row, _ in group}, {col for _, col in group}
        assert len(group) == len(rows) * len(cols)
        assert max(rows) - min(rows) < len(rows)
        assert max(cols) - min(cols) < len(cols)
