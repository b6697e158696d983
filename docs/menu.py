"""Two things that mkdocs asks at build time: the catalogue's pages in the menu, and pictures that may not be there yet."""

import re
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Fills the menu's "Catalogue" with what `docs/generate.py` has written, the indexes first."""
    docs = Path(config["docs_dir"])
    for entry in config["nav"] or ():
        if "Catalogue" in entry:
            folders = [docs / Path(page).parent for page in _paths(entry["Catalogue"])]
            entry["Catalogue"] = [
                "catalogue/index.md",
                *({_title(f): _pages(f, docs)} for f in folders if f.name != "catalogue"),
            ]
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """`<!-- picture: images/report.png | what it shows -->` becomes the picture where the file exists, else nothing."""

    def shown(match: re.Match[str]) -> str:
        path, text = match[1].strip(), match[2].strip()
        return f"![{text}]({path})" if (Path(config["docs_dir"]) / path).is_file() else ""

    return re.sub(r"<!-- picture: (.*?) \| (.*?) -->", shown, markdown)


def _paths(entries: list[Any]) -> list[str]:
    return [path for entry in entries for path in (entry.values() if isinstance(entry, dict) else [entry])]


def _title(folder: Path) -> str:
    return (folder / "index.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _pages(folder: Path, docs: Path) -> list[str]:
    pages = sorted((p for p in folder.glob("*.md") if p.name != "index.md"), key=lambda p: p.name.lower())
    return [str(p.relative_to(docs)) for p in (folder / "index.md", *pages)]
