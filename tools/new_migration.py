"""Write the next step of the schema into `migrations/versions`, from the difference between tables and migrations.

    python tools/new_migration.py [--next-release] "add the device code"

Read what it wrote before committing it: a step only expands what the release before it uses (identity/storage/
migrations.py says why), and builds indexes on large tables concurrently on PostgreSQL. Then set CURRENT there.
"""

import argparse
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine

from identity.resources import data_folder
from identity.storage.migrations import run_alembic


def next_revision(folder: Path, *, next_release: bool) -> str:
    """`01_02` after `01_01`; `02_01` with `next_release`."""
    last = max((file.name[:5] for file in folder.glob("[0-9][0-9]_[0-9][0-9]_*.py")), default="01_00")
    release, step = int(last[:2]), int(last[3:])
    return f"{release + 1:02}_01" if next_release else f"{release:02}_{step + 1:02}"


def write(message: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(data_folder("migrations")).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    scratch = sqlite3.connect(":memory:")
    engine = create_engine("sqlite://", creator=lambda: scratch, poolclass=NullPool)
    with engine.connect() as connection:
        if any((data_folder("migrations") / "versions").glob("*.py")):
            run_alembic(connection, "head")
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=revision)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("message")
    parser.add_argument("--next-release", action="store_true")
    options = parser.parse_args()
    revision = next_revision(data_folder("migrations") / "versions", next_release=options.next_release)
    write(options.message, revision)


if __name__ == "__main__":
    main()
