"""The notebooks: each runs from its first cell to its last, on one small demo that they share."""

import ast
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

from pipeline import demo

BOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def code(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of notebooks beside a small demo, as in a clone of the project."""
    root = tmp_path_factory.mktemp("clone")
    demo.at_hand(root / "demo")
    return Path(shutil.copytree(BOOKS[0].parent, root / "notebooks"))


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_draws(desk: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(book.parents[1]))
    opened = nbformat.read(desk / book.name, as_version=4)
    nbclient.NotebookClient(opened, timeout=300, resources={"metadata": {"path": str(desk)}}).execute()
    outputs = [output for cell in opened.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "given", "instead"),
    [
        ("03_try_a_threshold_or_a_model", 'model = "vanwatch-s"', 'model = "runs/mine"'),
        ("04_add_an_aoi", "east - 0.1 * width, north", "west + 0.15 * width, north"),
    ],
    ids=["model of one's own by a relative path", "area without an alert"],
)
def test_notebook_changed_as_its_text_invites_runs(
    desk: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str, instead: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(BOOKS[0].parents[1]))
    shutil.copytree(demo.CONFIGS.parent / "models" / "weights" / "vanwatch-s", desk / "runs/mine", dirs_exist_ok=True)
    opened = nbformat.read(desk / f"{name}.ipynb", as_version=4)
    changed = [cell for cell in opened.cells if given in cell.source]
    assert len(changed) == 1
    changed[0].source = changed[0].source.replace(given, instead)
    nbclient.NotebookClient(opened, timeout=300, resources={"metadata": {"path": str(desk)}}).execute()


@pytest.mark.slow
def test_at_hand_takes_a_demo_that_is_there(desk: Path) -> None:
    folder = desk.parent / "demo"
    first = (folder / "demo.png").stat().st_mtime_ns
    assert demo.at_hand(folder).folder == folder
    assert (folder / "demo.png").stat().st_mtime_ns == first


def test_notebooks_are_four() -> None:
    assert [path.stem[:2] for path in BOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs(book: Path) -> None:
    cells = nbformat.read(book, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    nbformat.validate(nbformat.read(book, as_version=4))


@pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
def test_notebook_defines_no_functions_and_calls_only_public_ones(book: Path) -> None:
    nodes = [node for source in code(book) for node in ast.walk(ast.parse(source))]
    assert not any(isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef) for node in nodes)
    names = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    names += [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert [name for name in names if name.startswith("_")] == []


def test_verdict_shown_in_a_notebook_gives_the_reason_that_the_command_wants() -> None:
    cells = [cell.source for book in BOOKS for cell in nbformat.read(book, as_version=4).cells]
    shown = [line for source in cells for line in source.splitlines() if line.startswith("vanwatch verdict ")]
    assert shown
    assert all("--reason" in line for line in shown)
