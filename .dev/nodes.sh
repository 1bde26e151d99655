# shellcheck shell=sh
# Owns: finding or fetching bitcoind and litecoind. Sourced by ./dev, which defines say and cache.
# Sets and exports SWAPD_BITCOIND and SWAPD_LITECOIND; what was fetched has been run once.
#
# On Debian the nodes are unpacked into a private prefix from Debian's own signed packages: the
# machine's apt and dpkg are read, never changed, and no root is needed. The newest bitcoind that
# Debian has for its stable releases lies in trixie-backports and needs a newer libc than
# Debian 12's, so its own loader and libraries come along, and a wrapper starts it with them.

nodes_help() {
    cat >&2 <<EOT
dev: $1
dev: swapd is tested on real nodes. Either
dev:   - put bitcoind (25 or later) and litecoind (0.21.2 or later) on PATH, or
dev:   - name them:  SWAPD_BITCOIND=/path/to/bitcoind SWAPD_LITECOIND=/path/to/litecoind ./dev ...
dev:   - on Debian, name a mirror that carries trixie and trixie-backports:  SWAPD_DEBIAN_MIRROR=<uri> ./dev ...
EOT
    exit 1
}

# A node the operator already has: the environment first, then PATH. Prints nothing if there is none.
nodes_own() { # name, value of its environment variable
    if [ -n "$2" ]; then
        [ -x "$2" ] || nodes_help "the environment names $2 as $1, but it is not an executable file"
        "$2" -version >/dev/null 2>&1 || nodes_help "$1 does not run: '$2 -version' failed"
        echo "$2"
    elif [ "$1" = litecoind ] && [ -x /usr/lib/litecoin/litecoind ]; then
        echo /usr/lib/litecoin/litecoind # /usr/bin/litecoind is a script that writes into HOME
    else
        command -v "$1" || true
    fi
}

# Every mirror that the machine's apt uses for its own release. Third parties may be among them:
# they carry no trixie-backports signed by Debian, so they fall out when tried.
nodes_mirrors() {
    if [ -n "${SWAPD_DEBIAN_MIRROR:-}" ]; then
        echo "$SWAPD_DEBIAN_MIRROR"
        return
    fi
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ -n "$codename" ] || return 0
    apt-get --print-uris update 2>/dev/null |
        sed -n "s|^'\\([^']*\\)/dists/$codename/InRelease'.*|\\1|p" | sort -u
}

# apt of its own under $work/apt, so that the machine's package lists stay as they are. Proxies and
# credentials of the machine's apt.conf.d still apply.
nodes_apt_config() { # work folder, mirror
    mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/debs"
    : >"$1/apt/status"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    for suite in trixie trixie-backports; do
        echo "deb [signed-by=$keyring] $2 $suite main"
    done >"$1/apt/sources.list"
    cat >"$1/apt/apt.conf" <<EOT
Dir::Etc::sourcelist "$1/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "$1/apt/lists";
Dir::State::status "$1/apt/status";
Dir::State::extended_states "$1/apt/extended_states";
Dir::Cache "$1/apt/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Get::List-Cleanup "false";
APT::Update::Post-Invoke { };
APT::Update::Post-Invoke-Success { };
Acquire::Languages "none";
Acquire::Retries "3";
EOT
}

# apt names the whole dependency closure; of it we need libraries only, no maintainer tools.
nodes_packages() {
    apt-get -qq -s install bitcoin-knots/trixie-backports litecoind |
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' |
        grep -E '^(bitcoin-knots|litecoind|lib[^=]*)=' | grep -vE '^lib(systemd|pam|perl|audit|selinux)[^=]*='
}

nodes_unpack() { # work folder
    machine=$(uname -m)
    case $machine in
    x86_64) loader=x86_64-linux-gnu/ld-linux-x86-64.so.2 ;;
    aarch64) loader=aarch64-linux-gnu/ld-linux-aarch64.so.1 ;;
    *) nodes_help "Debian has no bitcoind for this processor ($machine)" ;;
    esac
    (cd "$1/debs" && apt-get -qq download $(nodes_packages)) || return 1
    for deb in "$1"/debs/*.deb; do
        dpkg-deb -x "$deb" "$1/root" || return 1
    done
    rm -rf "$1/debs" "$1/apt" "$1/root/usr/share"
    mkdir -p "$1/bin"
    for name in bitcoind litecoind; do
        binary=usr/bin/$name
        [ -x "$1/root/usr/lib/litecoin/$name" ] && binary=usr/lib/litecoin/$name
        [ -x "$1/root/$binary" ] || return 1
        # exec keeps the process id, so signals and waits reach the node itself
        cat >"$1/bin/$name" <<EOT
#!/bin/sh
root=\${0%/bin/*}/root
exec "\$root/usr/lib/$loader" --library-path "\$root/usr/lib/${loader%/*}" --argv0 $name "\$root/$binary" "\$@"
EOT
        chmod 755 "$1/bin/$name"
        "$1/bin/$name" -version || return 1
    done
}

nodes_fetch() { # final prefix
    command -v apt-get >/dev/null 2>&1 && [ -r /etc/os-release ] ||
        nodes_help "bitcoind or litecoind is missing, and only on Debian can this script fetch them"
    mirrors=$(nodes_mirrors)
    [ -n "$mirrors" ] || nodes_help "apt on this machine names no Debian mirror"
    work=$1.new
    for mirror in $mirrors; do
        rm -rf "$work"
        nodes_apt_config "$work" "$mirror"
        say "fetching bitcoind and litecoind from the Debian mirror that apt uses"
        if (APT_CONFIG=$work/apt/apt.conf && export APT_CONFIG &&
            apt-get -qq update >"$work/log" 2>&1 && nodes_unpack "$work" >>"$work/log" 2>&1); then
            mv "$work" "$1"
            return 0
        fi
        sed 's/^/dev:   /' "$work/log" >&2
    done
    rm -rf "$work"
    nodes_help "the Debian mirror of this machine did not give bitcoin-knots and litecoind (see above)"
}

nodes_ensure() {
    SWAPD_BITCOIND=$(nodes_own bitcoind "${SWAPD_BITCOIND:-}")
    SWAPD_LITECOIND=$(nodes_own litecoind "${SWAPD_LITECOIND:-}")
    if [ -z "$SWAPD_BITCOIND" ] || [ -z "$SWAPD_LITECOIND" ]; then
        prefix=$cache/nodes-1
        [ -d "$prefix" ] || nodes_fetch "$prefix"
        SWAPD_BITCOIND=${SWAPD_BITCOIND:-$prefix/bin/bitcoind}
        SWAPD_LITECOIND=${SWAPD_LITECOIND:-$prefix/bin/litecoind}
    fi
    export SWAPD_BITCOIND SWAPD_LITECOIND
}
