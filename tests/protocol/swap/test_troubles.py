"""Every kind of trouble is known by a phrase, and has a remedy."""

from protocol.swap import troubles
from protocol.swap.remedies import remedy_of
from protocol.swap.troubles import Trouble, trouble_of


def test_every_kind_of_trouble_is_known_by_words_and_has_a_remedy() -> None:
    known = {kind for _, kind in troubles._PHRASES}
    assert known == set(Trouble) - {Trouble.OTHER}
    assert all(remedy_of(kind) for kind in Trouble)
    assert trouble_of("it rains") is Trouble.OTHER


def test_no_phrase_hides_another_one() -> None:
    for phrase, kind in troubles._PHRASES:
        assert trouble_of(f"12 {phrase} 34") is kind, phrase
