import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_help_prints() -> None:
    generator = runpy.run_path(str(ROOT / "tools" / "generate_cli_docs.py"))
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == generator["page"](), "run make docs"
