"""The command that installs an extra, for each way of installing hashindex, and the packages that are built."""

import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from hashindex.core.installation import EXTRAS, Installation, command_for, source_of, this_installation

ROOT = Path(__file__).resolve().parent.parent


def installed(prefix: Path, **given: object) -> Installation:
    usual: dict[str, object] = {
        "python": "/env/bin/python",
        "has_pip": True,
        "source": "/home/me/hashindex",
        "extras": (),
    }
    return Installation(prefix, **{**usual, **given})  # type: ignore[arg-type]


def test_with_pip_the_interpreter_of_hashindex_installs_the_package(tmp_path: Path) -> None:
    assert command_for("heif", installed(tmp_path), "linux") == "/env/bin/python -m pip install pillow-heif"


def test_an_interpreter_with_a_space_in_its_path_is_quoted_for_the_shell_of_the_system(tmp_path: Path) -> None:
    here = installed(tmp_path, python="C:\\My Env\\python.exe")
    assert command_for("raw", here, "win32") == '"C:\\My Env\\python.exe" -m pip install rawpy'
    assert command_for("raw", here, "linux") == "'C:\\My Env\\python.exe' -m pip install rawpy"


def test_an_environment_without_pip_is_one_of_uv(tmp_path: Path) -> None:
    here = installed(tmp_path, has_pip=False)
    assert command_for("fast", here, "linux") == "uv pip install --python /env/bin/python numba"


def test_pipx_injects_the_package_into_its_environment(tmp_path: Path) -> None:
    prefix = tmp_path / "venvs" / "hashindex"
    prefix.mkdir(parents=True)
    (prefix / "pipx_metadata.json").touch()
    assert command_for("jxl", installed(prefix), "linux") == "pipx inject hashindex pillow-jxl-plugin"


def test_uv_tool_installs_again_with_all_extras(tmp_path: Path) -> None:
    (tmp_path / "uv-receipt.toml").touch()
    here = installed(tmp_path, has_pip=False, extras=["raw"], source="/home/me/my hashindex")
    assert command_for("heif", here, "linux") == (
        "uv tool install --with pillow-heif --with rawpy '/home/me/my hashindex'"
    )


def test_an_extra_of_several_packages_installs_all_of_them(tmp_path: Path) -> None:
    here = installed(tmp_path, extras=["text"], has_pip=False)
    assert command_for("text", here, "linux") == "uv pip install --python /env/bin/python onnxruntime rapidocr"
    (tmp_path / "uv-receipt.toml").touch()
    assert command_for("raw", here, "linux") == (
        "uv tool install --with rawpy --with onnxruntime --with rapidocr /home/me/hashindex"
    )


def test_a_damaged_extra_is_installed_again_in_every_way_of_installing(tmp_path: Path) -> None:
    def again(here: Installation) -> str:
        return command_for("raw", here, "linux", again=True)

    assert again(installed(tmp_path)) == "/env/bin/python -m pip install --force-reinstall rawpy"
    assert again(installed(tmp_path, has_pip=False)) == "uv pip install --reinstall --python /env/bin/python rawpy"
    (tmp_path / "uv-receipt.toml").touch()
    assert again(installed(tmp_path)) == "uv tool install --reinstall --with rawpy /home/me/hashindex"
    (tmp_path / "pipx_metadata.json").touch()
    assert again(installed(tmp_path)) == f"pipx inject --force {tmp_path.name} rawpy"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        (None, "hashindex"),
        ({"url": "file:///home/me/my%20clone", "dir_info": {"editable": True}}, "/home/me/my clone"),
        ({"url": "file:///tmp/hashindex-0.1.0-py3-none-any.whl"}, "/tmp/hashindex-0.1.0-py3-none-any.whl"),
        ({"url": "https://example.org/h.git", "vcs_info": {"vcs": "git"}}, "git+https://example.org/h.git"),
        ({"url": "https://example.org/h.whl", "archive_info": {}}, "https://example.org/h.whl"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_the_source_is_what_was_installed(url: dict[str, object] | None, source: str) -> None:
    assert source_of(None if url is None else json.dumps(url)) == source


def test_this_installation_is_that_of_the_running_interpreter() -> None:
    assert this_installation()[:2] == (Path(sys.prefix), sys.executable)


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: packages for name, packages in project["optional-dependencies"].items() if name in EXTRAS}
    assert {name: tuple(one.partition(">")[0] for one in packages) for name, packages in extras.items()} == EXTRAS


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sdist, and the wheel that is built from it."""
    pytest.importorskip("build", reason="needs the extra 'test'")
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    return sorted(folder.iterdir())


def test_the_packages_hold_every_file(packages: list[Path]) -> None:
    wheel, sdist = packages
    compiled = (".so", ".pyd")
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hashindex").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in compiled
    }
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name and not name.endswith(compiled)}
    assert held == {name for name in files if not name.endswith((".c", ".h"))}
    with tarfile.open(sdist) as archive:
        assert files <= {name.partition("/")[2] for name in archive.getnames()}


def test_a_package_index_would_take_the_packages(packages: list[Path]) -> None:
    pytest.importorskip("twine", reason="needs the extra 'test'")
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *packages], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout
