"""What axe-core finds wrong with a part of a page: names, roles, contrast, order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator

__all__ = ["serious_findings"]

SERIOUS = ("serious", "critical")
RUN = """async part => {
  const found = await window.axe.run(part, {resultTypes: ['violations']});
  return found.violations.map(one => ({
    rule: one.id, impact: one.impact, help: one.help,
    places: one.nodes.map(node => `${node.target.join(' ')}: ${node.html.slice(0, 200)}`),
  }));
}"""


def serious_findings(part: Locator) -> list[dict[str, Any]]:
    """Give what axe-core calls serious or critical in ``part``: rule, help and places."""
    from axe_playwright_python.base import AXE_SCRIPT

    if not part.page.evaluate("() => 'axe' in window"):
        part.page.evaluate(AXE_SCRIPT)
    findings = part.evaluate(RUN)
    return [one for one in findings if one["impact"] in SERIOUS]
