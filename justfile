# `just` lists the recipes. Another Python: just python=python3 test
python := if os_family() == "windows" { ".venv/Scripts/python.exe" } else { ".venv/bin/python" }

[private]
list:
    @'{{ just_executable() }}' --list --unsorted

# Run the tests; arguments go to pytest: just test tests/test_scan.py -k renamed
test *arguments:
    {{ python }} -m pytest {{ arguments }}

# Check style, format and spelling
lint:
    {{ python }} -m ruff check
    {{ python }} -m ruff format --check
    {{ python }} -m codespell_lib

# Check the types
types:
    {{ python }} -m mypy --strict hashindex docs/*.py benchmarks/*.py tests/*.py

# Check that docs/cli.md matches --help and docs/json.md the output, and that every message is translated
docs:
    {{ python }} docs/make_cli.py --check
    {{ python }} docs/make_json.py --check
    {{ python }} docs/make_translations.py --check

# Add new messages to the .po files, and compile these
translations:
    {{ python }} docs/make_translations.py

# Fuzz each target for two seconds, where there is an atheris for this Python
fuzz:
    if {{ python }} -c 'import atheris' 2>/dev/null || {{ python }} -m pip install --only-binary :all: 'atheris>=3.0' >/dev/null 2>&1; then {{ python }} benchmarks/fuzz.py --seconds 2; else echo 'skipped: there is no atheris for this Python'; fi

# Run the tests and measure what they cover of the modules that move files and write the catalogue
cover:
    {{ python }} -m pytest --cov --cov-report=term-missing:skip-covered

# All of these, as CI runs them
check: cover lint types docs fuzz
