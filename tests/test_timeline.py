"""The picture of an outage: well-formed, legible, and never two texts on top of each other."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree as ET

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_job.timeline import (
    DARK,
    LABEL_GAP,
    LIGHT,
    WIDTH,
    Dot,
    Lane,
    Look,
    Moment,
    Palette,
    Placed,
    Row,
    Sign,
    Span,
    Timeline,
    merged,
    place_labels,
    render,
    seconds,
    steps,
    text_width,
    ticks,
    wrap,
)

SVG = "{http://www.w3.org/2000/svg}"
DOWN = Span(start=0.0, end=8.0, look=Look.BAD, text="database away 8.0 s")

moments = st.builds(
    Moment,
    at=st.floats(-5, 30),
    text=st.text(min_size=1, max_size=24),
    look=st.sampled_from(Look),
    row=st.integers(0, 1),
)
findings = st.text(max_size=300)


def timeline(
    *lane_moments: tuple[Moment, ...], finding: str = "it hangs", title: str = "A title"
) -> Timeline:
    """Make a picture with a lane for each of the lists of moments."""
    rows = (
        Row(
            name="scheduler",
            spans=(Span(start=-3.0, end=1.2, look=Look.GOOD, text="pid 12"),),
            at_end="RUNNING",
        ),
        Row(name="tasks", dots=(Dot(at=-2.0, sign=Sign.DUE), Dot(at=9.0, sign=Sign.DONE))),
    )
    return Timeline(
        title=title,
        subtitle="SQLite",
        description="What happened.",
        start=-5.0,
        end=30.0,
        outage=DOWN,
        lanes=tuple(
            Lane(name=f"lane {index}", finding=finding, look=Look.BAD, rows=rows, moments=many)
            for index, many in enumerate(lane_moments)
        ),
    )


def parsed(picture: Timeline) -> ET.Element:
    """Render and read again, as a browser would."""
    return ET.fromstring(render(picture))  # noqa: S314 (our own document)


def meets(one: Placed, other: Placed) -> bool:
    """Tell whether two texts overlap, or the leader of one runs through the text of the other."""
    low, high = sorted((one, other), key=lambda label: label.level)
    overlap = low.left < high.right + LABEL_GAP and high.left < low.right + LABEL_GAP
    if low.level == high.level:
        return overlap
    # A leader runs from its text down to the rows, so only the higher one can run through.
    return low.left < high.left < low.right


@given(st.lists(st.tuples(moments, st.floats(200, 900)), max_size=9))
def test_no_label_meets_another_label_or_its_leader(
    placed_at: list[tuple[Moment, float]],
) -> None:
    """Wherever the moments fall, no label lies on another or on the leader of another."""
    labels = place_labels(placed_at)
    assert len(labels) == len(placed_at)
    assert not any(meets(one, other) for one, other in combinations(labels, 2))


@given(st.lists(moments, max_size=6), st.lists(moments, max_size=6), findings, findings)
def test_the_picture_is_well_formed_and_nothing_leaves_the_page(
    first: list[Moment], second: list[Moment], finding: str, title: str
) -> None:
    """Whatever is written into it, the picture parses, and every text starts and ends inside."""
    root = parsed(timeline(tuple(first), tuple(second), finding=finding, title=title))
    height = float(root.attrib["height"])
    for text in root.iter(f"{SVG}text"):
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        assert 0 <= x <= WIDTH
        assert 0 <= y <= height
    for label in root.iter(f"{SVG}text"):
        if "label ink-" in label.attrib["class"]:
            content = "".join(label.itertext())
            assert float(label.attrib["x"]) + text_width(content, 12.0) <= WIDTH


def test_the_picture_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    """Title and description stand at its head, and it is labelled by them."""
    root = parsed(timeline((), title="Legacy <hung> & stayed"))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "title desc"
    assert root.findtext(f"{SVG}title") == "Legacy <hung> & stayed"
    assert root.findtext(f"{SVG}desc") == "What happened."


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    """It holds no script, no image, no font and no address but the name of its own language."""
    text = render(timeline((Moment(at=1.2, text="loop dead", look=Look.BAD),)))
    assert text.count("http") == 1
    for foreign in ("<script", "<image", "@import", "@font-face", "href"):
        assert foreign not in text


def test_the_picture_has_a_light_and_a_dark_dress() -> None:
    """Both palettes are in it, the dark one where the reader prefers it."""
    light, _, dark = render(timeline(())).partition("@media (prefers-color-scheme: dark)")
    assert LIGHT.page in light
    assert DARK.page in dark


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out_from_its_ground(palette: Palette) -> None:
    """Text has at least the contrast of 4.5 to 1 that accessibility guidelines ask for."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pairs = {
        "ink": ("page", "card", "band"),
        "muted": ("page", "card"),
        "bad_ink": ("card", "band"),
        "waiting_ink": ("card", "band"),
        "on_good": ("good", "bad"),
        "on_waiting": ("waiting",),
    }
    for text, grounds in pairs.items():
        for ground in grounds:
            both = luminance(getattr(palette, text)), luminance(getattr(palette, ground))
            contrast = (max(both) + 0.05) / (min(both) + 0.05)
            assert contrast >= 4.5, f"{text} on {ground}: {contrast:.1f}"


def test_moments_are_written_with_their_seconds() -> None:
    """A key moment is labelled with its second and with what it was."""
    root = parsed(timeline((Moment(at=1.25, text="loop dead", look=Look.BAD),)))
    assert "1.2 s loop dead" in {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}


def test_a_state_without_room_for_its_name_is_drawn_without_it() -> None:
    """A text that does not fit its bar is left out rather than run over the next one."""
    row = Row(name="r", spans=(Span(start=0, end=0.1, look=Look.GOOD, text="a long text"),))
    lane = Lane(name="n", finding="f", look=Look.GOOD, rows=(row,))
    assert "a long text" not in render(attrs.evolve(timeline(), lanes=(lane,)))


def test_a_band_without_room_for_its_name_has_it_beside_it() -> None:
    """The name of a short outage is written next to the band."""
    picture = timeline(())
    short = Span(start=0.0, end=0.5, look=Look.BAD, text="database away 0.5 s")
    narrow = Timeline(
        title=picture.title,
        subtitle=picture.subtitle,
        description=picture.description,
        start=picture.start,
        end=picture.end,
        outage=short,
        lanes=picture.lanes or timeline(()).lanes,
    )
    names = [
        text for text in parsed(narrow).iter(f"{SVG}text") if text.text == "database away 0.5 s"
    ]
    assert [name.attrib["text-anchor"] for name in names] == ["start"]


@given(st.floats(-20, 0), st.floats(1, 900))
def test_the_axis_has_few_round_ticks_within_its_bounds(start: float, end: float) -> None:
    """There are 1 to 13 ticks, in order, inside the axis, the moment of the outage among them."""
    marks = ticks(start, end)
    assert 1 <= len(marks) <= 13
    assert marks == sorted(marks)
    assert 0 in marks
    assert start <= marks[0] <= marks[-1] <= end


def test_seconds_have_one_decimal_and_a_real_minus() -> None:
    """A time before the outage has a minus sign, and none is written as minus nought."""
    assert [seconds(value) for value in (-2.25, -0.01, 0.0, 3.14159)] == [
        "\N{MINUS SIGN}2.2 s",
        "0.0 s",
        "0.0 s",
        "3.1 s",
    ]


@given(st.text(), st.floats(50, 500))
def test_wrapping_keeps_every_word_and_every_line_that_can_fits(text: str, width: float) -> None:
    """No word is lost, and only a single word may be wider than the room."""
    lines = wrap(text, 13.0, width)
    assert " ".join(lines).split() == text.split()
    assert all(text_width(line, 13.0) <= width or len(line.split()) == 1 for line in lines)


def test_steps_last_until_the_next_change_and_equal_neighbours_are_one() -> None:
    """A state lasts until the next one; repeated states are drawn as one bar; None is a gap."""
    good, bad = (Look.GOOD, "RUNNING"), (Look.BAD, "FATAL")
    assert steps([(0, good), (1, good), (2, None), (3, bad)], 5) == (
        Span(start=0, end=2, look=Look.GOOD, text="RUNNING"),
        Span(start=3, end=5, look=Look.BAD, text="FATAL"),
    )


def test_spans_apart_from_each_other_are_not_merged() -> None:
    """A gap between two bars of the same kind stays a gap."""
    apart = (Span(start=0, end=1, look=Look.GOOD), Span(start=2, end=3, look=Look.GOOD))
    assert merged(apart) == apart
