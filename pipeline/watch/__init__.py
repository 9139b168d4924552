"""The areas a deployment watches: checked whole, listed, previewed, added. The work behind `vanwatch aoi ...`.

In: a home folder with `aoi/` and `configs/`. Out: facts and their words. Uses no network and reads no pixels; of the
models it reads the cards only, and never imports torch.
"""

from pipeline.watch.areas import Row, add, describe_added, find, listing, table
from pipeline.watch.checks import Report, check, check_card, describe
from pipeline.watch.previews import Preview, describe_preview, preview

__all__ = [
    "Preview",
    "Report",
    "Row",
    "add",
    "check",
    "check_card",
    "describe",
    "describe_added",
    "describe_preview",
    "find",
    "listing",
    "preview",
    "table",
]
