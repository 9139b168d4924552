import re

from pipeline import errors


def test_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn, above = {"VanwatchError": "Exception"}, ["VanwatchError"]
    for line in re.findall(r"^.*── \w+", errors.__doc__ or "", re.MULTILINE):
        depth, name = (line.index("──") - 1) // 4, line.split()[-1]
        above[depth:] = [name]
        drawn[name] = above[depth - 1]
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert drawn == {kind.__name__: kind.__base__.__name__ for kind in classes if kind.__base__}
