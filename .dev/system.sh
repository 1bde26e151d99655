# shellcheck shell=sh
# Owns: the system packages and the Python that the set-up needs. Sourced by ./dev, which defines
# say and die. Sets python.

python_ok() { # program: of the right version, able to make virtual environments and extensions
    command -v "$1" >/dev/null 2>&1 && "$1" - >/dev/null 2>&1 <<'EOT'
import ensurepip, os, sys, sysconfig, venv
assert (3, 11) <= sys.version_info[:2] <= (3, 13)
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
EOT
}

python_find() {
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        if python_ok "$candidate"; then
            python=$candidate
            return 0
        fi
    done
    return 1
}

# What is missing, as Debian calls it. libp2p's fastecdsa has no wheel: it is compiled once.
system_missing() {
    python_find || echo python3 python3-venv python3-dev
    command -v gcc >/dev/null 2>&1 || echo gcc
    printf '#include <stdlib.h>\n' | compiles || echo libc6-dev
    printf '#include <gmp.h>\n' | compiles || echo libgmp-dev
    command -v setpriv >/dev/null 2>&1 && command -v flock >/dev/null 2>&1 || echo util-linux
}

compiles() { command -v gcc >/dev/null 2>&1 && gcc -E -x c - >/dev/null 2>&1; }

system_ensure() {
    missing=$(system_missing | tr '\n' ' ')
    missing=${missing% }
    if [ -n "$missing" ]; then
        command -v apt-get >/dev/null 2>&1 ||
            die "missing (named as Debian names them): $missing; install them with your package manager"
        install="apt-get install -y --no-install-recommends $missing"
        if [ "$(id -u)" != 0 ]; then
            say "system packages are missing. As root:"
            echo "apt-get update && $install"
            exit 1
        fi
        say "installing system packages: $missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update >&2 && $install >"$cache/apt.log" 2>&1 || {
            cat "$cache/apt.log" >&2
            die "apt-get could not install them"
        }
    fi
    python_find ||
        die "no usable Python 3.11, 3.12 or 3.13 (with venv and headers); name one: PYTHON=/path/to/python3 ./dev ..."
}
