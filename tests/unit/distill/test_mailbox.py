"""How far a reader of a mailbox has come, across the mailbox's lives."""

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.mailbox import Mailbox, Place


def put(mailbox, *numbers):
    for number in numbers:
        mailbox.put(RecordHeader("syntax", f"syntax/0/{number}", "d", number, 1, "t", 1, 1), b"", 1)


def look(mailbox, epoch, place):
    """The batches that are new to a reader, and its place after that."""
    found = mailbox.unread("semantics", place.number_in(epoch))
    batches = [header.weights_step for _, header, _ in found]
    return batches, place.after(epoch, [number for number, _, _ in found])


def test_a_reader_is_told_everything_once():
    mailbox = Mailbox(keep=8)
    put(mailbox, 1, 2)
    batches, place = look(mailbox, "one", Place())
    assert (batches, place) == ([1, 2], Place("one", 2))
    assert look(mailbox, "one", place) == ([], place)
    put(mailbox, 3)
    assert look(mailbox, "one", place)[0] == [3]


def test_a_reader_that_found_a_new_mailbox_empty_hears_its_first_records():
    old, new = Mailbox(keep=8), Mailbox(keep=8)
    put(old, 1, 2, 3)
    _, place = look(old, "one", Place())
    batches, place = look(new, "two", place)
    assert (batches, place) == ([], Place("two", 0))
    put(new, 4)
    assert look(new, "two", place)[0] == [4]
