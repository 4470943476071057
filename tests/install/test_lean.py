"""Libraries without docstrings, and without what nobody uses of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from senryu.install.lean import compile_lean

LIBRARY = '"""What it is."""\n\n\ndef f() -> int:\n    """What it does."""\n    return 7\n'
LOOK = "import lib.it, senryu_like; print(lib.it.__doc__, lib.it.f.__doc__, lib.it.f(), lib.it.__file__)"


def test_libraries_lose_their_docstrings_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/__init__.py").write_text("")
    (tmp_path / "lib/it.py").write_text(LIBRARY)
    (tmp_path / "lib/of_another_python.py").write_text("print 'no'\n")
    (tmp_path / "senryu").mkdir()
    (tmp_path / "senryu/__init__.py").write_text(LIBRARY)
    (tmp_path / "senryu_like.py").write_text(LIBRARY)
    assert compile_lean(tmp_path) == 3
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["None", "None", "7", f"{tmp_path}/lib/it.py"]
    ours = [sys.executable, "-c", "import senryu; print(senryu.__doc__)"]
    assert "What it is." in subprocess.run(ours, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True).stdout


def test_the_server_runs_without_what_is_left_out() -> None:
    program = (
        "from senryu.left_out import leave_out; leave_out(); import senryu.serve, sys;"
        "from uvicorn.config import Config; Config(senryu.serve, http='httptools', lifespan='off', ws='none').load();"
        "never = {'click', 'cryptography', 'uvicorn.main', 'fastapi', 'pydantic', 'sqlalchemy.orm', 'yaml', 'greenlet',"
        "'anyio._backends._asyncio'};"
        "assert not never & set(sys.modules), never & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)


def test_postgresql_finds_its_greenlets_where_logs_go_without() -> None:
    program = (
        "from senryu.left_out import leave_out; leave_out(); import structlog, asyncio; from sqlalchemy.util import greenlet_spawn;"
        "print(asyncio.run(greenlet_spawn(lambda: 7)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "7\n"


def test_the_agent_runs_without_libcrypto() -> None:
    program = (
        "import contextlib, senryu.agent\n"
        "with contextlib.suppress(SystemExit): senryu.agent.main(['--help'])\n"
        "print([name for name in ('/_asyncio.', 'libcrypto', 'libssl') if name in open('/proc/self/maps').read()])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "['/_asyncio.']"
