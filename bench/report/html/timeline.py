"""A timeline as HTML: its data as JSON, which timeline.js draws. Without that script its words are all there is."""

import json
from collections.abc import Iterable

from markupsafe import escape

from bench.report.document import Timeline
from bench.report.render import inline


def text(block: Timeline) -> str:
    """A timeline's element; empty if nothing is on it."""
    if not any(track.intervals for track in block.tracks):
        return ""
    words = escape(inline.plain(block.words))
    return (
        f'<figure class="timeline"><figcaption>{words}</figcaption>'
        f'<script type="application/json">{data(block)}</script></figure>'
    )


def data(block: Timeline) -> str:
    """The tracks as JSON that ends no element: an interval is start, duration (in microseconds), name and category.

    Names and categories are their places in lists.
    """
    intervals = [interval for track in block.tracks for interval in track.intervals]
    names, categories = places(i.name for i in intervals), places(i.category for i in intervals)
    tracks = [
        {
            "name": track.name,
            "intervals": [
                [round(i.start_us, 3), round(i.duration_us, 3), names[i.name], categories[i.category]]
                for i in sorted(track.intervals, key=lambda i: (i.start_us, -i.duration_us))
            ],
        }
        for track in block.tracks
    ]
    packed = json.dumps({"names": list(names), "categories": list(categories), "tracks": tracks}, separators=(",", ":"))
    return packed.replace("<", "\\u003c")


def places(texts: Iterable[str]) -> dict[str, int]:
    """The different texts with their places, in the order in which they come."""
    return {text: place for place, text in enumerate(dict.fromkeys(texts))}
