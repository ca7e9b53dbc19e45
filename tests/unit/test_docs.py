"""The documents say what the code does."""

import inspect
import re
from pathlib import Path

from chalicelib.domain import notice
from chalicelib.domain.errors import Code
from chalicelib.domain.promotion import NEXT, Effect, Rung, State, Step
from chalicelib.usecases import notify
from chalicelib.wire.problems import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_state_stands_in_the_table_with_what_follows_it() -> None:
    text = (DOCS / "architecture.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) ?\|$", text, re.MULTILINE))

    documented = {state: set(re.findall(r"`(\w+)`", rows[state])) for state in State}

    assert documented == {state: set(following) for state, following in NEXT.items()}


def test_every_state_stands_in_the_diagram() -> None:
    text = (DOCS / "architecture.md").read_text()
    diagram = text.partition("## States")[2].split("```")[1]

    assert {state for state in State if state in diagram} == set(State)


def test_every_problem_has_its_runbook_entry_and_the_other_way_round() -> None:
    text = (DOCS / "runbook.md").read_text().partition("## Problems")[2]

    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == [*KINDS]
    assert set(KINDS) == set(Code)


def anchors(page: str) -> set[str]:
    """What a link into the page can name, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_notice_leads_to_a_runbook_entry() -> None:
    sources = [notice, notify]
    named = set()
    for source in sources:
        named |= set(re.findall(r'runbook="([a-z0-9-]+)"', inspect.getsource(source)))
    named |= {"a-promotion-failed", "a-promotion-settled"} | {f"rung-{rung}" for rung in Rung}

    assert len(named) >= 8
    assert named - anchors("runbook.md") == set()


def test_every_rung_has_its_runbook_entry_and_the_other_way_round() -> None:
    entries = {anchor for anchor in anchors("runbook.md") if anchor.startswith("rung-")}

    assert entries == {f"rung-{rung}" for rung in Rung}


def test_the_glossary_knows_every_state_step_and_effect() -> None:
    text = (DOCS / "glossary.md").read_text()

    assert [word for word in (*State, *Step, *Effect) if f"`{word}`" not in text] == []


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")]

    broken = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / link).exists()
    ]

    assert broken == []
