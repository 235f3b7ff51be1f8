"""Build icons.svg from the names in icons.txt: python build_icons.py FOLDER_OF_SVG_FILES."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLANK = re.compile(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>')


def symbol(source: Path) -> str:
    """Return one icon as a `<symbol>` whose id is its name."""
    text = source.read_text()
    inner = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    shape = " ".join(BLANK.sub("", inner).split())
    return f'<symbol id="{source.stem}" viewBox="0 0 24 24">{shape}</symbol>'


def build(folder: Path) -> None:
    """Write the sprite."""
    names = sorted(set((HERE / "icons.txt").read_text().split()))
    (HERE / "icons.txt").write_text("\n".join(names) + "\n")
    symbols = "\n".join(symbol(folder / f"{name}.svg") for name in names)
    sprite = f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'
    (HERE / "icons.svg").write_text(sprite)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
