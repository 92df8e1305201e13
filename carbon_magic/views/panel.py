"""The panel as widgets: the browser's views and bqplot's power chart in one object, for any front end.

The views are the sidebar's own modules in one anywidget. They are fed by the messages of the comm, sent to the widget
by the sampler's thread, which never writes a trait: what people change takes effect in the browser, and what is shown
inline lives while a cell runs. The chart is a figure of bqplot's, whose lines are filled in the browser: inline by the
panel itself, in whose section it stands; in the sidebar, which another module draws, by an anywidget over it. Made only
when somebody asks; needs the extra `panel`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from carbon_magic.views.bundle import BROWSER, bundle, style

if TYPE_CHECKING:
    from carbon_magic.comm.link import Link
    from carbon_magic.comm.messages import Message

INSTALL = "pip install 'carbon-magic[panel]'"
MUTED = "var(--jp-ui-font-color2, #757575)"
MARGIN = {"top": 18, "bottom": 20, "left": 42, "right": 2}
_HERE = "1 / 1 / 2 / 2"
"""One cell of a grid, for what lies over one another."""

_VIEWS = """
const TABLE = %s;
function render({ model, el }) {
  const root = document.createElement('div');
  el.append(root);
  const { host, end } = m_inline.inlineHost(model, root, TABLE);
  const chart = document.createElement('div');
  const away = m_frame.mount(root, host, { chart });
  const gone = m_hosted.hostChart(model, chart, host);
  return () => { gone(); away(); end(); };
}
export default { render };
"""
_CHART = """
async function render({ model, el }) {
  const root = document.createElement('div');
  root.className = 'cbm-Chart';
  el.append(root);
  const parts = await m_hosted.partsOf(model);
  const { host, end } = m_inline.inlineHost(model, root, { edition: '', columns: [], rows: [], sources: {} }, false);
  const away = m_chart.mountChart(root, host, parts);
  return () => { away(); end(); };
}
export default { render };
"""


class PanelMissing(RuntimeError):  # noqa: N818 - not an error of the program: something is to be installed
    """What the panel is made of is not installed. The message says how to get it."""


def panel(link: Link) -> Any:
    """The views and the chart in one widget.

    Raises:
        PanelMissing: bqplot or anywidget is not installed.
    """
    _require()
    from ipywidgets import Layout

    figure, parts = _figure()
    views = _fed(link, _views_esm(), {**parts, "figure": figure}, told=_with_code())
    views.layout = Layout(width="100%", max_width="600px", min_width="0")
    # Who asks for it looks; what the browser says of that waits for the cells that were started meanwhile.
    link.heard({"type": "lease", "view": "made"})
    return views


def chart(link: Link) -> Any:
    """The live power chart alone, for a front end that draws the views itself.

    Raises:
        PanelMissing: bqplot or anywidget is not installed.
    """
    _require()
    from ipywidgets import GridBox, Layout

    figure, parts = _figure()
    over = _fed(link, _chart_esm(), parts)
    over.layout = Layout(width="auto", min_width="0", margin="0", grid_area=_HERE)
    figure.layout.grid_area = _HERE
    return GridBox([figure, over], layout=Layout(width="100%", min_width="0", grid_template_columns="minmax(0, 1fr)"))


def _figure() -> tuple[Any, dict[str, Any]]:
    """The figure, and the parts of it that are filled and set in the browser."""
    from bqplot import Axis, Figure, LinearScale, Lines
    from ipywidgets import Layout

    scales = {"x": LinearScale(min=-300.0, max=0.0), "y": LinearScale(min=0.0, max=5.0)}

    def lines(**looks: Any) -> Any:
        fixed = {"x": True, "y": True}
        return Lines(x=[-300.0, 0.0], y=[[0.0, 0.0]], scales=scales, preserve_domain=fixed, **looks)

    area = lines(fill="between", fill_opacities=[0.48], stroke_width=1.5, colors=["transparent"])
    looks = {"measured": "solid", "modelled": "dashed", "assumed": "dotted"}
    edges = {name: lines(stroke_width=1.5, line_style=look, colors=["transparent"]) for name, look in looks.items()}
    # Without a format bqplot computes one from the ticks, and fails where there is one only.
    plain = {"tick_format": ".0f", "tick_style": {"font-size": "11px", "fill": MUTED}}
    x_axis = Axis(scale=scales["x"], grid_lines="none", tick_values=[-240.0, -120.0, 0.0], **plain)
    y_axis = Axis(scale=scales["y"], orientation="vertical", tick_values=[0.0, 2.5, 5.0], **plain)
    figure = Figure(
        marks=[area, *edges.values()],
        axes=[x_axis, y_axis],
        animation_duration=0,
        display_toolbar=False,
        background_style={"fill": "transparent"},
        fig_margin=MARGIN,
        padding_x=0.0,
        padding_y=0.0,
        layout=Layout(width="auto", min_width="0", margin="0"),
    )
    # Its height is the stylesheet's, which knows how wide the panel is.
    figure.add_class("cbm-Chart-figure")
    return figure, {"area": area, **edges, "xAxis": x_axis, "yAxis": y_axis, **scales}


def _require() -> None:
    try:
        import anywidget  # noqa: F401
        import bqplot  # noqa: F401
    except ImportError as error:
        raise PanelMissing(f"the panel needs {error.name}, which is not installed here: {INSTALL}") from None


def _with_code() -> Callable[[Message], Message]:
    """Messages for views that have no notebook to look up code in."""
    from IPython.core.getipython import get_ipython

    from carbon_magic.comm.excerpts import remembered, with_code

    first_line = remembered(get_ipython())
    return lambda message: with_code(message, first_line)


def _fed(
    link: Link, esm: str, parts: dict[str, Any], told: Callable[[Message], Message] = lambda message: message
) -> Any:
    """A widget that gets what is sent over the comm, from now on, and may say what a front end may say."""
    ids = {name: part.model_id for name, part in parts.items()}
    css = style() + (BROWSER / "chart.css").read_text(encoding="utf-8")
    widget = _widget_class()(_esm=esm, _css=css, opening=[told(message) for message in link.opening()], parts=ids)
    widget.on_msg(lambda _, content, __: link.heard(content))
    link.add_listener(
        lambda message: widget.send(told(message)), lambda: widget.comm is not None and os.getpid() == link.pid
    )
    # ipykernel 7.4 takes a widget's messages to where it was made, and a cell's own thread is busy.
    getattr(widget.comm, "__dict__", {}).pop("_reply_subshell_id", None)
    return widget


@cache
def _widget_class() -> Any:
    import anywidget
    import traitlets

    class Fed(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]
        """A widget fed by messages."""

        _esm = "export default { render() {} };"
        _css = " "
        """Both are here so that anywidget makes traits of them; each widget is given its own."""
        opening = traitlets.List().tag(sync=True)
        """What there was when it was made."""
        parts = traitlets.Dict().tag(sync=True)
        """The models that it draws with, by name."""

    return Fed


@cache
def _views_esm() -> str:
    table = json.loads((BROWSER / "regions.json").read_text(encoding="utf-8"))
    return bundle(
        "inline", "frame", "hosted", glue=_VIEWS % json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    )


@cache
def _chart_esm() -> str:
    return bundle("inline", "chart", "hosted", glue=_CHART)
