"""What the operator types: `swapd run`, `drain`, `tower`, `init`, `passphrase`, `config`, ...

Owns: flags and what a failure looks like on the terminal. Must not know: how the daemon works.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final, TypeVar

import click
import structlog
import trio

from swapd import keptsecret, log, offline, running
from swapd.clock import FileClock, WallClock
from swapd.config import Config, ConfigError, Loaded, describe, load
from swapd.daemon import Daemon
from swapd.evm import accounts as accounts_of_chains
from swapd.evm import deploy as deploy_on_chains
from swapd.failures import explain
from swapd.keys import initialise
from swapd.keys.errors import SeedFileMissingError
from swapd.keys.passphrase import choose, find, passphrase_source, read_file
from swapd.keys.secret import Secret, forbid_core_dumps
from swapd.keys.signer import SeedSigner
from swapd.lockfile import locked
from swapd.paths import loose_permissions, prepare
from swapd.ports import Clock, RecoveryError
from swapd.recovery.content import Content, addresses_only
from swapd.recovery.reading import read
from swapd.recovery.takeover import Taken
from swapd.store.restore import restore
from swapd.store.sqlite import SqliteStore
from swapd.tower.command import run_tower, say_accounts

F = TypeVar("F", bound=Callable[..., None])

_IDENTITY_BYTES: Final = 64

EXIT_CODES = """\b
Exit codes: 0 stopped in order, 1 crash, 2 command line, 10 configuration, 11 data directory in
use, 20 keys or passphrase, 30 database, 40 a node is of another chain or misconfigured;
6 (doctor) something critical was found.
"""


@contextmanager
def _failures() -> Iterator[None]:
    """What stops a command, said in one line with its exit code; bugs keep their traceback."""
    try:
        yield
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        message, code = told
        sys.stderr.write(f"swapd: {message}\n")
        sys.exit(code)


def _common(function: F) -> F:
    """The flags of every command."""
    options = (
        click.option("--config", "file", type=click.Path(path_type=Path), help="configuration"),
        click.option("--network", help="mainnet, testnet, signet or regtest"),
        click.option("--datadir", help="where seed, journal and socket lie, one folder a network"),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="any other key"),
    )
    for option in reversed(options):
        function = option(function)
    return function


_passphrase_file = click.option(
    "--passphrase-file", type=click.Path(path_type=Path), help="instead of asking for it"
)


def _load(
    file: Path | None, network: str | None, datadir: str | None, settings: tuple[str, ...]
) -> Loaded:
    flags: dict[str, str] = {}
    for text in settings:
        key, found, value = text.partition("=")
        if not found:
            raise click.UsageError(f"--set {text}: write KEY=VALUE")
        flags[key] = value
    if network is not None:
        flags["network"] = network
    if datadir is not None:
        flags["data_dir"] = datadir
    return load(environ=os.environ, cwd=Path.cwd(), file=file, flags=flags)


def _console() -> initialise.Terminal | None:
    return initialise.Terminal() if sys.stdin.isatty() else None


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(installed("swapd"), prog_name="swapd")
def cli() -> None:
    """Atomic swaps between strangers: the daemon. Control it with swap-cli."""


@cli.command()
@_common
@_passphrase_file
@click.option("--restore", is_flag=True, help="from the 24 words of an earlier seed")
@click.option("--words-file", type=click.Path(path_type=Path), help="the words, with --restore")
@click.option("--yes", is_flag=True, help="do not ask to type some of the words back")
def init(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    restore: bool,
    words_file: Path | None,
    yes: bool,
) -> None:
    """Make the seed: 24 words, shown once, encrypted on disk."""
    with _failures():
        if words_file is not None and not restore:
            raise click.UsageError("--words-file goes with --restore")
        config = _load(file, network, datadir, settings).config
        prepare(config.paths)
        with locked(config.paths.lock):
            passphrase = choose(passphrase_file, os.environ, _console())
            if restore:
                text = None
                if words_file is not None:
                    text = read_file(words_file).reveal().decode("ascii", "replace")
                initialise.restore(
                    config.paths.seed,
                    passphrase,
                    initialise.Terminal(),
                    entropy=os.urandom,
                    text=text,
                )
            else:
                initialise.create(
                    config.paths.seed,
                    passphrase,
                    initialise.Terminal(),
                    entropy=os.urandom,
                    confirm=not yes and sys.stdin.isatty(),
                )


@cli.command()
@_common
@_passphrase_file
@click.option("--new-passphrase-file", type=click.Path(path_type=Path), help="the new one")
def passphrase(
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    new_passphrase_file: Path | None,
) -> None:
    """Change the passphrase; the words stay the same."""
    with _failures():
        config = _load(file, network, datadir, settings).config
        prepare(config.paths)
        with locked(config.paths.lock):
            old = find(passphrase_file, os.environ, _console())
            new = choose(new_passphrase_file, {}, _console())
            initialise.change_passphrase(
                config.paths.seed, old, new, initialise.Terminal(), entropy=os.urandom
            )


@cli.command("config")
@_common
def show_config(
    file: Path | None, network: str | None, datadir: str | None, settings: tuple[str, ...]
) -> None:
    """Print each effective value and where it came from."""
    with _failures():
        loaded = _load(file, network, datadir, settings)
        click.echo(describe(loaded))
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(f"swapd {installed('swapd')}")


@cli.command()
@_common
@_passphrase_file
@click.option(
    "--locked", "watch_locked", is_flag=True, help="without a passphrase, watch until `unlock`"
)
def run(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    watch_locked: bool,
) -> None:
    """Run the daemon in the foreground until SIGTERM, SIGINT or `swap-cli stop`.

    With --locked, and no passphrase from a file or a credential nor anybody to type it, it looks
    after open swaps with what was signed before, and calls for `swap-cli unlock`.

    A second signal ends it at once, which is always safe: everything is in the journal.
    """
    _start(file, network, datadir, settings, passphrase_file, watch_locked=watch_locked)


@cli.command()
@_common
@_passphrase_file
def drain(
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
) -> None:
    """Run the daemon until its open swaps have ended, beginning no new ones; then exit 0.

    For one that runs already: `swap-cli drain`.
    """
    _start(file, network, datadir, settings, passphrase_file, drain=True)


def _start(
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    *,
    drain: bool = False,
    watch_locked: bool = False,
) -> None:
    with _failures():
        forbid_core_dumps()
        loaded = _load(file, network, datadir, settings)
        config = loaded.config
        prepare(config.paths)
        with locked(config.paths.lock):
            clock = _clock(config)
            log.configure(level=config.log.level, style=config.log.format, clock=clock)
            for warning in loaded.warnings:
                structlog.get_logger("swapd").warning("config.warning", what=warning)
            seed = None
            watch = watch_locked or config.watch_when_locked
            if not (watch and _nobody_knows(config, passphrase_file)):
                _warn_of_loose(passphrase_file)
                seed = _seed(config, passphrase_file)
            open_seed = partial(initialise.open_seed, config.paths.seed)
            running.run(config, seed, clock, open_seed, drain=drain, warnings=loaded.warnings)


@cli.command()
@_common
@_passphrase_file
@click.argument("swap", required=False)
@click.option("--keys", is_flag=True, help="the private keys too; asks before")
@click.option("--yes", is_flag=True, help="do not ask before keys are shown")
@click.option("--json", "as_json", is_flag=True, help="as `swap-cli --json` prints it")
def rescue(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    swap: str | None,
    keys: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """All that is needed to get the coins of SWAP back by hand, from the data directory alone.

    For a daemon that does not run and can't be made to; else `swap-cli swap rescue`. No node is
    asked. SWAP is an id or its beginning; without it the swaps are listed.
    """
    with _failures():
        if keys and not yes:
            offline.confirm_keys(interactive=sys.stdin.isatty() and not as_json)
        config = _load(file, network, datadir, settings).config
        prepare(config.paths)
        with locked(config.paths.lock):
            seed = _seed(config, passphrase_file)
            signer = SeedSigner(seed, test_network=config.network.is_test, entropy=os.urandom)
            ask = partial(offline.find, config, signer, _clock(config), swap, keys=keys)
            found = trio.run(ask)
        offline.show(found, as_json=as_json)


@cli.command()
@_common
@_passphrase_file
@click.option("--json", "as_json", is_flag=True, help="as `swap-cli --json` prints it")
def doctor(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Everything that is not as it should be, while no daemon runs: configuration, files, disk,
    clock, ports, nodes. Ends with 6 if something is critical. Else `swap-cli doctor`.

    Nothing is opened with the passphrase: of its file only the mode is looked at.
    """
    try:
        loaded = _load(file, network, datadir, settings)
    except ConfigError as error:
        sys.exit(offline.diagnose_configuration(error, as_json=as_json))
    sys.exit(trio.run(partial(offline.diagnose, loaded, passphrase_file, as_json=as_json)))


@cli.command()
@_common
@_passphrase_file
@click.argument("recovery_file", required=False, type=click.Path(path_type=Path))
def recover(
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    recovery_file: Path | None,
) -> None:
    """Take the open swaps of a recovery file over into this data directory.

    On a new machine: `swapd init --restore` with the words first, then this, then `swapd run`.
    Restored swaps claim, refund and watch; they never lock. Without a file only what was paid to
    addresses of the seed is looked for, at the next `swapd run`: open swaps need the file.
    """
    with _failures():
        config = _load(file, network, datadir, settings).config
        prepare(config.paths)
        with locked(config.paths.lock):
            seed = _seed(config, passphrase_file)
            signer = SeedSigner(seed, test_network=config.network.is_test, entropy=os.urandom)
            taken = trio.run(_recover, config, signer, recovery_file)
    for swap_id in taken.swaps:
        click.echo(f"restored swap {swap_id.hex()}")
    click.echo(f"{len(taken.swaps)} swaps were taken over; `swapd run` goes on with them")


@cli.command("restore-backup")
@_common
@click.argument("backup", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="also where a sound database with swaps is in place")
def restore_backup(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    backup: Path,
    replace: bool,
) -> None:
    """Put BACKUP, a file of `swap-cli backup`, in the place of the database.

    It is read whole first and copied; what was in place is kept beside it. Open swaps in it claim,
    refund and watch from then on and never lock; offers in it are ended. `swapd recover` adds what
    a recovery file knows.
    """
    with _failures():
        config = _load(file, network, datadir, settings).config
        prepare(config.paths)
        with locked(config.paths.lock):
            done = restore(
                Path.cwd() / backup,
                config.paths.database,
                network=config.network.value,
                at=_clock(config).now(),
                replace=replace,
            )
    click.echo(
        f"{done.database}: {done.swaps} swaps, {done.open_swaps} of them open; "
        f"the backup was {done.made}"
    )
    if done.set_aside is not None:
        click.echo(f"what was there is in {done.set_aside}")
    click.echo("next: `swapd recover FILE` if there is a recovery file, then `swapd run`")


async def _recover(config: Config, signer: SeedSigner, path: Path | None) -> Taken:
    content: Content | None = addresses_only(
        [chain.params.asset_id for chain in config.chains], network=config.network.value
    )
    if path is not None:
        content = await read(path, signer, network=config.network.value)
    if content is None:
        raise RecoveryError(f"there is no file {path}")
    store = await SqliteStore.open(config.paths.database, network=config.network.value)
    try:
        clock = _clock(config)
        daemon = Daemon(config, store=store, signer=signer, clock=clock, entropy=os.urandom)
        taken = await daemon.recover(content, force=True)
    finally:
        await store.aclose()
    return taken or Taken(content.generation, ())


@cli.group()
def evm() -> None:
    """Chains with accounts: where your money goes, and the contract that swaps it."""


@evm.command("accounts")
@_common
@_passphrase_file
@click.argument("name", required=False)
def evm_accounts(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    name: str | None,
) -> None:
    """The accounts of your seed on each chain under [evm] (or on NAME), what they hold, and which
    contracts are in place. While no daemon runs."""
    _on_chains(accounts_of_chains, _load(file, network, datadir, settings), passphrase_file, name)


@evm.command("deploy")
@_common
@_passphrase_file
@click.argument("name", required=False)
def evm_deploy(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    passphrase_file: Path | None,
    name: str | None,
) -> None:
    """Put the swap contract of each asset on each chain under [evm] (or on NAME), where it is not
    there yet. Anybody can, and once for all: its address follows from its code. While no daemon
    runs; paid by the account that locks."""
    _on_chains(deploy_on_chains, _load(file, network, datadir, settings), passphrase_file, name)


def _on_chains(
    command: Callable[..., Awaitable[None]],
    loaded: Loaded,
    passphrase_file: Path | None,
    name: str | None,
) -> None:
    """Opens seed and database for a command about chains with accounts."""
    config = loaded.config

    async def run(signer: SeedSigner, clock: Clock) -> None:
        store = await SqliteStore.open(config.paths.database, network=config.network.value)
        try:
            await command(config, name, store=store, signer=signer, clock=clock, say=click.echo)
        finally:
            await store.aclose()

    with _failures():
        prepare(config.paths)
        with locked(config.paths.lock):
            seed = _seed(config, passphrase_file)
            signer = SeedSigner(seed, test_network=config.network.is_test, entropy=os.urandom)
            trio.run(run, signer, _clock(config))


@cli.command()
@_common
@click.option("--accounts", is_flag=True, help="Say where the tower pays gas from, and end.")
def tower(
    *,
    file: Path | None,
    network: str | None,
    datadir: str | None,
    settings: tuple[str, ...],
    accounts: bool,
) -> None:
    """Run a watchtower in the foreground: it acts for its clients while they are away.

    It has no seed and no wallet, and can neither take their coins nor show their secrets. Its
    address for clients stands in its log at each start.
    """
    with _failures():
        forbid_core_dumps()
        loaded = _load(file, network, datadir, settings)
        if accounts:
            for line in say_accounts(loaded.config):
                click.echo(line)
            return
        clock = _clock(loaded.config)
        log.configure(level=loaded.config.log.level, style=loaded.config.log.format, clock=clock)
        for warning in loaded.warnings:
            structlog.get_logger("swapd").warning("config.warning", what=warning)
        run_tower(loaded.config, clock)


def _clock(config: Config) -> Clock:
    if config.clock_file is None:
        return WallClock()
    return FileClock(config.clock_file, _complain)


def _complain(text: str) -> None:
    sys.stderr.write(f"swapd: {text}\n")


def _nobody_knows(config: Config, passphrase_file: Path | None) -> bool:
    """There is a seed to open, and neither a passphrase for it nor anybody to ask."""
    if not config.paths.seed.exists() or _console() is not None:
        return False
    return passphrase_source(passphrase_file, os.environ) is None


def _warn_of_loose(passphrase_file: Path | None) -> None:
    """systemd sees to the mode of its credentials; of a file the operator must."""
    loose = None if passphrase_file is None else loose_permissions(passphrase_file, readable=False)
    if loose is not None:
        structlog.get_logger("swapd").warning("passphrase.loose", what=loose)


def _seed(config: Config, passphrase_file: Path | None) -> Secret:
    """The seed; a daemon that only relays needs none: nothing but its peer id comes from the bytes
    that it keeps, and others have that in their configuration."""
    if not config.paths.seed.exists():
        if config.is_relay:
            path = config.paths.identity
            return Secret(keptsecret.load(path, _IDENTITY_BYTES, os.urandom, what="identity file"))
        raise SeedFileMissingError(
            f"there is no seed at {config.paths.seed}: run `swapd init` first"
        )
    return initialise.open_seed(config.paths.seed, find(passphrase_file, os.environ, _console()))
