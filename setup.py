"""What pyproject.toml cannot say: how `pip install -e` makes the packages importable."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel

LINKS = ".editable"


class LinkedPackages(editable_wheel):
    """An editable install by a folder of links to the packages, on `sys.path`.

    For packages that lie in folders of other names setuptools by default installs an import hook. Python asks it last, and
    takes any folder of a package's name where it is started, such as the clone itself, for the package.
    """

    def finalize_options(self) -> None:
        """Make the links, and have setuptools put their folder on `sys.path` as it does for a folder `src`."""
        super().finalize_options()
        links = Path(self.project_dir, LINKS)
        shutil.rmtree(links, ignore_errors=True)
        try:
            links.mkdir()
            for name in self.distribution.packages:
                if "." not in name:
                    folder = Path("..", self.package_dir.get(name, name))
                    (links / name).symlink_to(folder, target_is_directory=True)
        except OSError:  # Windows, unless in developer mode: setuptools' import hook will do
            return
        self.package_dir = {"": LINKS}


setup(cmdclass={"editable_wheel": LinkedPackages})
