"""A chart as a stand-alone page: one file, no network, readable even where scripts are off."""

import base64
import functools
import hashlib
import html
import json
from collections.abc import Mapping

import vl_convert

__all__ = ["data_block", "living_script", "page", "policy"]

# `ast` lets Vega do without eval, which the policy forbids.
START = """
for (const chart of document.querySelectorAll("[data-spec]")) {
  vegaEmbed(chart, JSON.parse(document.getElementById(chart.dataset.spec).textContent), {
    mode: "vega-lite", renderer: "svg", ast: true,
    actions: {export: true, source: false, compiled: false, editor: false},
  });
}
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ margin: 0; padding: 16px; overflow-x: auto; background: #fff; color: #1f2328; font-family: {font}; }}
#chart, #chart.vega-embed {{ display: block; max-width: 960px; margin: 0 auto; }}
#chart svg.marks {{ display: block; width: 100%; min-width: 640px; height: auto; }}
</style>
</head>
<body>
<main id="chart" data-spec="spec">{svg}</main>
{spec}
<script type="module">{script}</script>
</body>
</html>
"""


def page(spec: Mapping[str, object], *, svg: str, title: str, font: str, vegalite: str) -> str:
    """A complete HTML document that draws a Vega-Lite specification; every text in it stays text.

    `svg` is the same picture, shown until the script has drawn the living one and where scripts are off.
    A narrow window shrinks it, a phone scrolls. `vegalite` is the version of Vega-Lite that the specification
    was written for, such as "v6.1".
    """
    script = living_script(vegalite)
    return PAGE.format(
        policy=policy(script),
        title=html.escape(title),
        font=font,
        svg=svg,
        spec=data_block(spec, "spec"),
        script=script,
    )


def data_block(spec: Mapping[str, object], identifier: str) -> str:
    """A specification as data in a page; the script draws it into the element whose `data-spec` is its id."""
    # JSON knows no markup: these three signs are all that a browser could take for the script's end.
    text = json.dumps(spec).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script id="{html.escape(identifier)}" type="application/json">{text}</script>'


def policy(*scripts: str) -> str:
    """A content security policy under which these scripts run and no other.

    It makes "no network" a promise that the browser keeps.
    """
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


@functools.cache
def living_script(vegalite: str) -> str:
    """Vega, Vega-Lite, Vega-Embed and our start as one text of 0.9 MB; made once, for it takes over a second."""
    bundle: str = vl_convert.javascript_bundle(START, vl_version=vegalite)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
