#!/bin/sh
# Says in one line what this machine lacks for building offramp, and what to install.
# usage: preflight.sh PYTHON
python=${1:-python3}

lacks() {
    echo "offramp cannot be built here: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    lacks "'$python' is not found; install Python 3.11 or newer (Debian: apt install python3 python3-venv python3-dev) or set PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    lacks "$("$python" --version) is too old; install Python 3.11 or newer and set PYTHON=..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    lacks "$python has no venv module; install it (Debian: apt install python3-venv)"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$include/Python.h" ] ||
    lacks "Python.h is missing from $include; install the headers (Debian: apt install python3-dev)"

cxx=${CXX:-}
[ -n "$cxx" ] || for name in c++ g++ clang++; do
    if command -v "$name" >/dev/null 2>&1; then cxx=$name && break; fi
done
[ -n "$cxx" ] || lacks "there is no C++ compiler; install one (Debian: apt install g++)"
command -v "${cxx%% *}" >/dev/null 2>&1 || lacks "the C++ compiler CXX='$cxx' is not found; install it (Debian: apt install g++) or unset CXX"
scratch=$(mktemp -d) || lacks "no temporary folder can be made; free some disk space or set TMPDIR"
trap 'rm -rf "$scratch"' EXIT
printf '#include <vector>\nint main() { return static_cast<int>(std::vector<int>{}.size()); }\n' >"$scratch/probe.cpp"
$cxx -std=c++17 "$scratch/probe.cpp" -o "$scratch/probe" >"$scratch/log" 2>&1 ||
    lacks "'$cxx' cannot build a C++17 program ($(head -n 1 "$scratch/log")); install a complete compiler (Debian: apt install g++)"
