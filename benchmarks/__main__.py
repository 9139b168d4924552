"""`python -m benchmarks`: parts against plain alternatives, and one night on a whole granule."""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import night, parts, stores


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where the granule is kept")
    parser.add_argument("--history", type=int, default=4, help="earlier scenes of the whole granule")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", action="store_true", help="only the parts, without the whole granule")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        rows = [*parts.rows(Path(folder)), *stores.rows(Path(folder) / "stores")]
        facts = dict(stores.facts(Path(folder) / "facts"))
    print(f"{'ours / the alternative':<66}{'ours s':>9}{'other s':>9}{'faster':>8}{'range':>14}{'stolen %':>10}")
    for row in rows:
        span = f"{row.low:.2f}-{row.high:.2f}"
        print(f"{row.name:<66}{row.ours_s:9.3f}{row.theirs_s:9.3f}{row.ratio:8.2f}{span:>14}{row.stolen_pct:10.1f}")
    for name, value in facts.items():
        print(f"{name:<66}  {value}")
    result: dict[str, object] = {"parts": [asdict(row) for row in rows], "stores": facts}
    if not chosen.parts:
        names = ("first night, normal built", "the same night, normal kept")
        for name, figures in zip(
            names, night.whole_granule(chosen.folder, history=chosen.history, workers=chosen.workers), strict=True
        ):
            _show(name, figures)
            result[name] = asdict(figures)
    (chosen.folder / "bench.json").write_text(json.dumps(result, indent=1, sort_keys=True))
    print(f"\nwritten to {chosen.folder / 'bench.json'}")


def _show(name: str, figures: night.Figures) -> None:
    print(f"\none whole granule, {name}: {figures.wall_s:.0f} s ({figures.cpu_s:.0f} s of CPU)")
    print(f"  memory: at most {figures.peak_gb:.1f} GB together, the largest process {figures.worker_gb:.1f} GB")
    print(
        f"  disk: at most {figures.scratch_gb:.1f} GB of decoded blocks; {figures.state_gb:.1f} GB kept for next time"
    )
    print(f"  stages {figures.stages}")
    print(f"  blocks {figures.blocks}, in the files {figures.blocks_in_files}")


if __name__ == "__main__":
    main()
