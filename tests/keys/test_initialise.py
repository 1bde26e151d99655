"""`swapd init` and where passphrases come from, with a person made of answers."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pytest

from swapd.keys import initialise, passphrase, words
from swapd.keys.errors import (
    BadWordsError,
    KeysError,
    SeedFileExistsError,
    WeakPassphraseError,
    WrongPassphraseError,
)
from swapd.keys.secret import Secret
from swapd.keys.seedfile import Cost
from tests.fakes.clock import FakeEntropy
from tests.keys import independent

CHEAP = Cost(1, 8192)
GOOD = Secret(b"correct horse")


class Person:
    """Answers in order; words that were shown can be looked up with `word:` answers."""

    def __init__(self, answers: Iterable[str] = ()) -> None:
        self.shown: list[str] = []
        self.asked: list[str] = []
        self._answers = list(answers)

    def show(self, text: str) -> None:
        self.shown.append(text)

    def _next(self, question: str) -> str:
        self.asked.append(question)
        if not self._answers:
            raise EOFError
        answer = self._answers.pop(0)
        if answer != "the right word":
            return answer
        return self.paper()[int(question.removeprefix("Word ").rstrip(": ")) - 1]

    def ask(self, question: str) -> str:
        return self._next(question)

    def ask_secret(self, question: str) -> str:
        return self._next(question)

    def paper(self) -> list[str]:
        """The words as somebody copies them from the screen."""
        known = set(words.wordlist())
        table = next(text for text in self.shown if text.startswith(" 1. "))
        return [word for word in table.split() if word in known]


def create(path: Path, person: Person, *, confirm: bool = True) -> None:
    """With cheap encryption."""
    initialise.create(path, GOOD, person, entropy=FakeEntropy(), confirm=confirm, cost=CHEAP)


def test_the_words_shown_restore_the_seed_that_was_written(tmp_path: Path) -> None:
    person = Person(["the right word"] * 3)
    create(tmp_path / "first", person)
    paper = " ".join(person.paper())
    assert len(paper.split()) == 24
    initialise.restore(
        tmp_path / "second", GOOD, Person([paper]), entropy=FakeEntropy("x"), cost=CHEAP
    )
    first = initialise.open_seed(tmp_path / "first", GOOD)
    assert initialise.open_seed(tmp_path / "second", GOOD) == first
    assert first.reveal() == independent.seed_of(paper)


def test_three_different_words_are_asked_in_order(tmp_path: Path) -> None:
    person = Person(["the right word"] * 3)
    create(tmp_path / "seed", person)
    places = [int(question.split()[1].rstrip(":")) for question in person.asked]
    assert len(set(places)) == 3
    assert places == sorted(places)
    assert all(1 <= place <= 24 for place in places)


def test_every_place_can_be_asked() -> None:
    asked = {place for seed in range(200) for place in initialise._places(FakeEntropy(str(seed)))}
    assert asked == set(range(1, 25))


def test_a_slip_may_be_corrected_but_not_for_ever(tmp_path: Path) -> None:
    create(tmp_path / "a", Person(["wrong", "the right word", "the right word", "the right word"]))
    with pytest.raises(KeysError, match="nothing was written"):
        create(tmp_path / "b", Person(["wrong"] * 3))
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_who_leaves_before_confirming_has_written_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="nobody answered: nothing was written"):
        create(tmp_path / "seed", Person())
    assert not list(tmp_path.iterdir())


def test_without_confirmation_nobody_is_asked(tmp_path: Path) -> None:
    person = Person()
    create(tmp_path / "seed", person, confirm=False)
    assert person.asked == []
    assert len(person.paper()) == 24


def test_a_seed_that_is_there_is_noticed_before_any_word_is_shown(tmp_path: Path) -> None:
    create(tmp_path / "seed", Person(), confirm=False)
    person = Person()
    with pytest.raises(SeedFileExistsError):
        create(tmp_path / "seed", person)
    with pytest.raises(SeedFileExistsError):
        initialise.restore(tmp_path / "seed", GOOD, person, entropy=FakeEntropy(), text="")
    assert person.shown == person.asked == []


def test_a_weak_passphrase_is_noticed_before_any_word_is_shown(tmp_path: Path) -> None:
    person, weak = Person(), Secret(b"1234")
    with pytest.raises(WeakPassphraseError):
        initialise.create(tmp_path / "s", weak, person, entropy=FakeEntropy(), confirm=False)
    with pytest.raises(WeakPassphraseError):
        initialise.restore(tmp_path / "s", weak, person, entropy=FakeEntropy())
    assert person.shown == person.asked == []


def test_wrong_words_restore_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadWordsError):
        initialise.restore(
            tmp_path / "s", GOOD, Person(), entropy=FakeEntropy(), text="one two", cost=CHEAP
        )
    assert not list(tmp_path.iterdir())


def test_the_passphrase_changes_and_the_seed_stays(tmp_path: Path) -> None:
    path, new = tmp_path / "seed", Secret(b"battery staple")
    create(path, Person(), confirm=False)
    before = initialise.open_seed(path, GOOD)
    person = Person()
    initialise.change_passphrase(path, GOOD, new, person, entropy=FakeEntropy("n"), cost=CHEAP)
    assert initialise.open_seed(path, new) == before
    assert "stay the same" in person.shown[0]
    with pytest.raises(WrongPassphraseError):
        initialise.open_seed(path, GOOD)


# --- where the passphrase comes from ----------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_passphrase_file_may_end_in_a_line_end(tmp_path: Path, end: str) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(f" two words {end}".encode())
    assert passphrase.read_file(file) == Secret(b" two words ")


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"\n", "empty"), (b"x" * 5000, "more than 4096")]
)
def test_a_useless_passphrase_file_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    with pytest.raises(KeysError, match=said):
        passphrase.read_file(file)


def test_a_missing_passphrase_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"nowhere cannot be read: No such file"):
        passphrase.read_file(tmp_path / "nowhere")


def test_the_named_file_goes_before_the_credential_before_the_person(tmp_path: Path) -> None:
    file, directory = tmp_path / "file", tmp_path / "credentials"
    directory.mkdir()
    file.write_text("from the file")
    (directory / "passphrase").write_text("from the service manager")
    environ = {"CREDENTIALS_DIRECTORY": str(directory)}
    person = Person(["from the person", "from the person"])
    assert passphrase.find(file, environ, person) == Secret(b"from the file")
    assert passphrase.choose(None, environ, person) == Secret(b"from the service manager")
    assert passphrase.find(None, {}, person) == Secret(b"from the person")
    empty = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert passphrase.find(None, empty, person) == Secret(b"from the person")


def test_without_anybody_to_ask_the_remedy_is_named() -> None:
    with pytest.raises(KeysError, match="--passphrase-file"):
        passphrase.find(None, {}, None)
    with pytest.raises(KeysError, match="--passphrase-file"):
        passphrase.choose(None, {}, None)
    with pytest.raises(KeysError, match="no passphrase was typed"):
        passphrase.find(None, {}, Person())


def test_a_new_passphrase_is_typed_twice() -> None:
    assert passphrase.choose(None, {}, Person(["one", "one"])) == Secret(b"one")
    with pytest.raises(KeysError, match="differ"):
        passphrase.choose(None, {}, Person(["one", "two"]))


def test_the_terminal_writes_lines_and_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    terminal = initialise.Terminal(out)
    terminal.show("hello")
    assert out.getvalue() == "hello\n"
    monkeypatch.setattr("builtins.input", lambda question: f"typed after {question}")
    monkeypatch.setattr("getpass.getpass", lambda question: f"hidden after {question}")
    assert terminal.ask("a") == "typed after a"
    assert terminal.ask_secret("b") == "hidden after b"
