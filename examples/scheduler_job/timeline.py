"""Draw what happened as one SVG picture, made to be pasted into a post-mortem.

The picture carries its own light and dark colours, uses no script and no external font, and
estimates the width of every text, so that labels are laid out without a browser at hand.
"""

from __future__ import annotations

import enum
import math
import re
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final, TypeAlias

    Area: TypeAlias = tuple[float, float, float, float]

WIDTH: Final = 1160.0
MARGIN: Final = 32.0
GUTTER: Final = 168.0
END_COLUMN: Final = 196.0
ROW: Final = 27.0
BAR: Final = 16.0
LEVEL: Final = 20.0
CARD_PADDING: Final = 16.0
CARD_GAP: Final = 18.0
LABEL_SIZE: Final = 12.0
LABEL_GAP: Final = 10.0
BAR_TEXT_SIZE: Final = 11.0
BAND_NAME: Final = 19.0
LINE: Final = 18.0
TITLE_SIZE: Final = 22.0
NAME_SIZE: Final = 15.0
TEXT_SIZE: Final = 13.0
LABEL_INDENT: Final = 5.0
MINUS: Final = "\N{MINUS SIGN}"
MOST_TICKS: Final = 12
TICK_STEPS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Look(enum.Enum):
    """How a stretch of time went; the value is the class of its bar."""

    GOOD = "good"
    BAD = "bad"
    WAITING = "waiting"


class Sign(enum.Enum):
    """What a single point on a row stands for."""

    DUE = "due"
    DONE = "done"


@frozen(kw_only=True)
class Span:
    """A stretch of a row, in seconds of the picture's clock."""

    start: float
    end: float
    look: Look
    text: str = ""


@frozen(kw_only=True)
class Dot:
    """A point on a row."""

    at: float
    sign: Sign


@frozen(kw_only=True)
class Row:
    """One thing that is watched; where it has no span, it was not there."""

    name: str
    spans: tuple[Span, ...] = ()
    dots: tuple[Dot, ...] = ()
    at_end: str = ""
    end_look: Look = Look.GOOD


@frozen(kw_only=True)
class Moment:
    """A labelled point in time; `row` is the index of the row that it belongs to."""

    at: float
    text: str
    look: Look
    row: int = 0


@frozen(kw_only=True)
class Lane:
    """One program through the outage: its rows, its key moments, and the finding."""

    name: str
    finding: str
    look: Look
    rows: tuple[Row, ...]
    moments: tuple[Moment, ...] = ()


@frozen(kw_only=True)
class Timeline:
    """All that the picture says; second 0 is the moment the database went away."""

    title: str
    subtitle: str
    description: str
    start: float
    end: float
    outage: Span
    lanes: tuple[Lane, ...]


# Shares of the font size, those of a wide sans-serif: an estimate that errs on the wide side
# can only waste room, one that errs on the narrow side makes labels overlap.
_NARROW: Final = dict.fromkeys("ijl.,:;'|!()[] ", 0.4) | dict.fromkeys("frtI/-", 0.45)
_BROAD: Final = dict.fromkeys("mwMW%@—", 0.98) | dict.fromkeys("ABCDEGHKNOPQRUVXY", 0.76)
_SHARES: Final = _NARROW | _BROAD
_USUAL_SHARE: Final = 0.62


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The room that a text needs at most, in pixels."""
    share = sum(_SHARES.get(character, _USUAL_SHARE) for character in text)
    return share * size * (1.08 if bold else 1.0)


def wrap(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """The text in lines that each fit the width; a single longer word keeps its own line."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


# Characters that no XML document may hold, not even escaped.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(text: str) -> str:
    return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text))


@frozen
class Placed:
    """A label that has found its place: `left` is its leader, level 0 is nearest the rows."""

    moment: Moment
    left: float
    width: float
    level: int

    @property
    def right(self) -> float:
        """Where the text ends."""
        return self.left + self.width


def seconds(value: float) -> str:
    """Seconds as the picture writes them, with one decimal and a sign before the outage."""
    return f"{'' if round(value, 1) >= 0 else MINUS}{abs(value):.1f} s"


def label_width(moment: Moment) -> float:
    """The room that the label of a moment needs, its leader's indent included."""
    return (
        LABEL_INDENT
        + text_width(f"{seconds(moment.at)} ", LABEL_SIZE, bold=True)
        + text_width(moment.text, LABEL_SIZE)
    )


def place_labels(moments: Iterable[tuple[Moment, float]]) -> list[Placed]:
    """Give each label a level on which it meets no other label and no leader.

    From right to left, each goes one level above the highest of those to its right whose leader
    its text would meet. So a text runs only over leaders that end below it, and its own leader
    falls to the left of every text placed before: a staircase.

    Args:
        moments: Each moment with the place of its leader, in any order.
    """
    placed: list[Placed] = []
    for moment, left in sorted(moments, key=lambda pair: (-pair[1], -pair[0].at)):
        width = label_width(moment)
        met = [other.level for other in placed if other.left < left + width + LABEL_GAP]
        placed.append(Placed(moment, left, width, max(met, default=-1) + 1))
    return placed[::-1]


@frozen
class Scale:
    """From seconds to pixels."""

    start: float
    end: float
    left: float
    right: float

    def __call__(self, second: float) -> float:
        """The place of a second, kept within the plot."""
        share = (second - self.start) / (self.end - self.start)
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)


def ticks(start: float, end: float) -> list[float]:
    """Round seconds between start and end, at most a dozen of them, 0 among them."""
    step = next((s for s in TICK_STEPS if (end - start) / s <= MOST_TICKS), TICK_STEPS[-1])
    return [n * step for n in range(math.ceil(start / step), math.floor(end / step) + 1)]


@frozen(kw_only=True)
class Palette:
    """The colours of one of the two dresses."""

    page: str
    card: str
    edge: str
    ink: str
    muted: str
    grid: str
    good: str
    on_good: str
    bad: str
    bad_stripe: str
    bad_ink: str
    waiting: str
    on_waiting: str
    waiting_ink: str
    band: str
    absent: str


LIGHT: Final = Palette(
    page="#ffffff",
    card="#f6f8fa",
    edge="#d1d9e0",
    ink="#1f2328",
    muted="#59636e",
    grid="#e3e8ed",
    good="#2b6cb8",
    on_good="#ffffff",
    bad="#c9364a",
    bad_stripe="#a92438",
    bad_ink="#b3243a",
    waiting="#eebd45",
    on_waiting="#3b2b00",
    waiting_ink="#805b00",
    band="#f7dfe2",
    absent="#b4bcc5",
)
DARK: Final = Palette(
    page="#0d1117",
    card="#151b23",
    edge="#3d444d",
    ink="#f0f6fc",
    muted="#9ba5b0",
    grid="#252c35",
    good="#3073c4",
    on_good="#ffffff",
    bad="#cf4457",
    bad_stripe="#a82f42",
    bad_ink="#ff8593",
    waiting="#d9a62e",
    on_waiting="#241a00",
    waiting_ink="#e8bd58",
    band="#3a1d24",
    absent="#59636e",
)


def _colours(palette: Palette) -> str:
    return f"""
.page {{ fill: {palette.page}; stroke: {palette.edge}; }}
.card {{ fill: {palette.card}; stroke: {palette.edge}; }}
.ink, .name {{ fill: {palette.ink}; }}
.muted {{ fill: {palette.muted}; }}
.grid {{ stroke: {palette.grid}; }}
.band {{ fill: {palette.band}; }}
.band-edge {{ stroke: {palette.bad}; }}
.absent {{ stroke: {palette.absent}; }}
.bar-good, .fill-good {{ fill: {palette.good}; }}
.bar-waiting, .fill-waiting {{ fill: {palette.waiting}; }}
.fill-bad, .stripe-ground {{ fill: {palette.bad}; }}
.stripe {{ stroke: {palette.bad_stripe}; }}
.on-good, .on-bad {{ fill: {palette.on_good}; }}
.on-waiting {{ fill: {palette.on_waiting}; }}
.ink-bad {{ fill: {palette.bad_ink}; }}
.ink-good {{ fill: {palette.ink}; }}
.ink-waiting {{ fill: {palette.waiting_ink}; }}
.leader-good {{ stroke: {palette.good}; }}
.leader-bad {{ stroke: {palette.bad}; }}
.leader-waiting {{ stroke: {palette.waiting}; }}
.ring {{ fill: {palette.card}; }}
.due {{ fill: {palette.card}; stroke: {palette.ink}; }}
.done {{ fill: {palette.ink}; stroke: {palette.card}; }}
.glyph {{ stroke: {palette.on_good}; }}"""


_SHAPES: Final = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  "Liberation Sans", sans-serif; font-size: 13px; font-variant-numeric: tabular-nums; }
.title { font-size: 22px; font-weight: 650; }
.name { font-size: 15px; font-weight: 650; }
.label, .tick, .end { font-size: 12px; }
.strong { font-weight: 650; }
.in-bar { font-size: 11px; font-weight: 550; }
.page, .card, .grid { stroke-width: 1; }
.band-edge { stroke-width: 1; stroke-dasharray: 3 3; }
.absent { stroke-width: 1.5; stroke-dasharray: 1 5; stroke-linecap: round; }
.bar-bad { fill: url(#hung); }
.stripe { stroke-width: 3; }
.leader-good, .leader-bad, .leader-waiting { stroke-width: 1.25; }
.ring { stroke-width: 2; }
.due, .done { stroke-width: 1.5; }
.glyph { stroke-width: 1.75; fill: none; stroke-linecap: round; stroke-linejoin: round; }"""


_HATCHING: Final = (
    '<defs><pattern id="hung" width="8" height="8" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="8" height="8" class="stripe-ground"/>'
    '<line x1="1.5" y1="0" x2="1.5" y2="8" class="stripe"/></pattern></defs>'
)


@frozen
class Canvas:
    """The parts of the picture, in the order in which they are painted."""

    parts: list[str] = field(factory=list[str])

    def text(self, x: float, y: float, content: str, look: str, *, anchor: str = "start") -> None:
        """Write a text with its baseline at y."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{look}" text-anchor="{anchor}">'
            f"{_xml(content)}</text>"
        )

    def label(self, x: float, y: float, moment: Moment) -> None:
        """Write a moment: its second in bold, then what it was."""
        look = moment.look.value
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="label ink-{look}">'
            f'<tspan class="strong">{seconds(moment.at)}</tspan> {_xml(moment.text)}</text>'
        )

    def box(self, area: Area, look: str, *, corner: float = 0) -> None:
        """Fill a rectangle."""
        x, y, width, height = area
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'rx="{corner:.1f}" class="{look}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, look: str) -> None:
        """Draw a straight line."""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{look}"/>'
        )

    def circle(self, x: float, y: float, radius: float, look: str) -> None:
        """Draw a disc."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{look}"/>')

    def path(self, data: str, look: str) -> None:
        """Draw a path."""
        self.parts.append(f'<path d="{data}" class="{look}"/>')

    def sign(self, x: float, y: float, sign: Sign) -> None:
        """Draw the sign of a point: a hollow diamond for due, a disc for done."""
        if sign is Sign.DUE:
            self.path(f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z", "due")
        else:
            self.circle(x, y, 5.5, "done")

    def badge(self, x: float, y: float, look: Look) -> None:
        """Draw the verdict: a tick or a cross in a disc."""
        self.circle(x, y, 8, f"fill-{look.value}")
        tick = f"M{x - 3.6:.1f} {y + 0.2:.1f}l2.6 2.8l4.8 -5.6"
        cross = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
        self.path(tick if look is Look.GOOD else cross, "glyph")


def _legend(canvas: Canvas, y: float) -> None:
    x = MARGIN
    bars = (
        (Look.GOOD, "at work"),
        (Look.BAD, "dead inside, or left behind"),
        (Look.WAITING, "starting, or waiting"),
    )
    for look, text in bars:
        canvas.box((x, y - 10, 22, 12), f"bar-{look.value}", corner=3)
        canvas.text(x + 29, y, text, "label muted")
        x += 29 + text_width(text, LABEL_SIZE) + 16
    canvas.line(x, y - 4, x + 24, y - 4, "absent")
    canvas.text(x + 31, y, "not there", "label muted")
    x += 31 + text_width("not there", LABEL_SIZE) + 20
    for sign, text in ((Sign.DUE, "task due"), (Sign.DONE, "task done")):
        canvas.sign(x, y - 4, sign)
        canvas.text(x + 12, y, text, "label muted")
        x += 12 + text_width(text, LABEL_SIZE) + 20


def _rows(canvas: Canvas, lane: Lane, scale: Scale, top: float) -> None:
    for index, row in enumerate(lane.rows):
        middle = top + index * ROW + ROW / 2
        canvas.text(scale.left - 14, middle + 4.5, row.name, "label muted", anchor="end")
        canvas.line(scale.left, middle, scale.right, middle, "absent")
        for span in row.spans:
            left, right = scale(span.start), scale(span.end)
            # A stretch too short to see was there all the same.
            width = max(right - left, 2.5)
            look = span.look.value
            corner = min(4.0, width / 2)
            canvas.box((left, middle - BAR / 2, width, BAR), f"bar-{look}", corner=corner)
            if text_width(span.text, BAR_TEXT_SIZE, bold=True) + 14 <= width:
                canvas.text(left + 8, middle + 4, span.text, f"in-bar on-{look}")
        for dot in row.dots:
            canvas.sign(scale(dot.at), middle, dot.sign)
        look = f"end ink-{row.end_look.value}"
        emphasis = " strong" if row.end_look is Look.BAD else ""
        canvas.text(scale.right + 14, middle + 4.5, row.at_end, look + emphasis)


def _leaders(canvas: Canvas, labels: Sequence[Placed], scale: Scale, rows_top: float) -> None:
    for label in labels:
        x = scale(label.moment.at)
        bottom = rows_top + label.moment.row * ROW + ROW / 2
        canvas.line(x, _label_y(label, rows_top) - 10, x, bottom, _leader(label.moment.look))


def _label_y(label: Placed, rows_top: float) -> float:
    return rows_top - 12 - label.level * LEVEL


def _leader(look: Look) -> str:
    return f"leader-{look.value}"


@frozen
class LaneBox:
    """A lane with its labels placed and its room reckoned."""

    lane: Lane
    labels: tuple[Placed, ...]
    top: float

    @property
    def finding(self) -> list[str]:
        """The finding, in as many lines as it needs beside the name."""
        return wrap(
            self.lane.finding, TEXT_SIZE, WIDTH - MARGIN - CARD_PADDING - self.finding_left
        )

    @property
    def finding_left(self) -> float:
        """Where the finding begins, to the right of badge and name."""
        return MARGIN + 40 + text_width(self.lane.name, NAME_SIZE, bold=True) + 12

    @property
    def band_top(self) -> float:
        """Where the outage's band begins, below the heading."""
        return self.top + CARD_PADDING + 22 + (len(self.finding) - 1) * LINE

    @property
    def rows_top(self) -> float:
        """Where the first row begins, below the band's name and the labels."""
        levels = max((label.level for label in self.labels), default=-1) + 1
        return self.band_top + BAND_NAME + 6 + levels * LEVEL + 6

    @property
    def bottom(self) -> float:
        """Where the card ends."""
        return self.rows_top + len(self.lane.rows) * ROW + CARD_PADDING / 2


def _draw_lane(canvas: Canvas, box: LaneBox, scale: Scale) -> None:
    lane, baseline = box.lane, box.top + CARD_PADDING + 10
    canvas.badge(MARGIN + 24, baseline - 5, lane.look)
    canvas.text(MARGIN + 40, baseline, lane.name, "name")
    for index, line in enumerate(box.finding):
        place = box.finding_left, baseline + index * LINE
        canvas.text(*place, line, f"ink-{lane.look.value}")
    _leaders(canvas, box.labels, scale, box.rows_top)
    _rows(canvas, lane, scale, box.rows_top)
    for label in box.labels:
        x, moment = scale(label.moment.at), label.moment
        canvas.label(x + LABEL_INDENT, _label_y(label, box.rows_top), moment)
        # On a row of signs the leader ends in the sign itself.
        if not lane.rows[moment.row].dots:
            y = box.rows_top + moment.row * ROW + ROW / 2
            canvas.circle(x, y, 3.5, f"ring {_leader(moment.look)}")


def _lay_out(timeline: Timeline, scale: Scale, top: float) -> list[LaneBox]:
    boxes: list[LaneBox] = []
    for lane in timeline.lanes:
        labels = place_labels((moment, scale(moment.at)) for moment in lane.moments)
        boxes.append(LaneBox(lane, tuple(labels), top))
        top = boxes[-1].bottom + CARD_GAP
    return boxes


def _scale(timeline: Timeline) -> Scale:
    widest = max(
        (label_width(moment) for lane in timeline.lanes for moment in lane.moments), default=0.0
    )
    end_column = max(END_COLUMN, widest - CARD_PADDING)
    return Scale(timeline.start, timeline.end, MARGIN + GUTTER, WIDTH - MARGIN - end_column)


def _draw_time(canvas: Canvas, timeline: Timeline, scale: Scale, box: LaneBox) -> None:
    """Paint what lies behind the rows of a lane: card, grid and the outage's band."""
    card_height, grid_bottom = box.bottom - box.top, box.bottom - CARD_PADDING / 2
    canvas.box((MARGIN, box.top, WIDTH - 2 * MARGIN, card_height), "card", corner=10)
    left, right = scale(timeline.outage.start), scale(timeline.outage.end)
    canvas.box((left, box.band_top, right - left, box.bottom - 0.5 - box.band_top), "band")
    for second in ticks(timeline.start, timeline.end):
        canvas.line(scale(second), box.rows_top, scale(second), grid_bottom, "grid")
    for edge in (left, right):
        canvas.line(edge, box.band_top, edge, box.bottom - 0.5, "band-edge")
    canvas.box((left, box.band_top, right - left, BAND_NAME), "fill-bad", corner=3)
    name, baseline = timeline.outage.text, box.band_top + 13.5
    if text_width(name, LABEL_SIZE, bold=True) + 16 <= right - left:
        place = (left + right) / 2, baseline
        canvas.text(*place, name, "label strong on-bad", anchor="middle")
    else:
        canvas.text(right + 8, baseline, name, "label strong ink-bad")


def _draw_axis(canvas: Canvas, timeline: Timeline, scale: Scale, baseline: float) -> None:
    for second in ticks(timeline.start, timeline.end):
        number = f"{second:g}".replace("-", MINUS)
        canvas.text(scale(second), baseline, number, "tick muted", anchor="middle")
    canvas.text(scale.right + 14, baseline, "seconds", "tick muted")


def _head(timeline: Timeline, height: float) -> list[str]:
    size = f'width="{WIDTH:.0f}" height="{height:.0f}" viewBox="0 0 {WIDTH:.0f} {height:.0f}"'
    labelled = 'aria-labelledby="title desc"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {labelled}>',
        f'<title id="title">{_xml(timeline.title)}</title>',
        f'<desc id="desc">{_xml(timeline.description)}</desc>',
        f"<style>:root {{ color-scheme: light dark; }}{_SHAPES}{_colours(LIGHT)}",
        f"@media (prefers-color-scheme: dark) {{{_colours(DARK)}\n}}</style>",
        _HATCHING,
    ]


def render(timeline: Timeline) -> str:
    """The timeline as one self-contained SVG document."""
    canvas = Canvas()
    titles = wrap(timeline.title, TITLE_SIZE, WIDTH - 2 * MARGIN, bold=True)
    y = 30.0
    for line in titles:
        y += 20
        canvas.text(MARGIN, y, line, "title ink")
        y += 8
    for line in wrap(timeline.subtitle, TEXT_SIZE, WIDTH - 2 * MARGIN):
        y += 18
        canvas.text(MARGIN, y, line, "muted")
    _legend(canvas, y + 32)
    scale = _scale(timeline)
    boxes = _lay_out(timeline, scale, y + 54)
    for box in boxes:
        _draw_time(canvas, timeline, scale, box)
        _draw_lane(canvas, box, scale)
    _draw_axis(canvas, timeline, scale, boxes[-1].bottom + 20)
    height = boxes[-1].bottom + 40
    page = Canvas()
    page.box((0.5, 0.5, WIDTH - 1, height - 1), "page", corner=12)
    return "\n".join([*_head(timeline, height), *page.parts, *canvas.parts, "</svg>", ""])


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans with neighbours of the same look and text joined into one."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and (last.look, last.text) == (span.look, span.text) and last.end >= span.start:
            joined[-1] = Span(start=last.start, end=span.end, look=last.look, text=last.text)
        else:
            joined.append(span)
    return tuple(joined)


def steps(
    changes: Sequence[tuple[float, tuple[Look, str] | None]], end: float
) -> tuple[Span, ...]:
    """Spans from a list of changes: each state lasts until the next; None is 'not there'."""
    bounded = [*changes, (end, None)]
    return merged(
        Span(start=at, end=until, look=state[0], text=state[1])
        for (at, state), (until, _) in pairwise(bounded)
        if state is not None
    )
