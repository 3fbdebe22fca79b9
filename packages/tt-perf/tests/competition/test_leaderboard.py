"""The file: entries, merging, verifying, several who write at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tt_perf.competition import Entry, FiguresError, Leaderboard, LeaderboardError, Verified, submit
from tt_perf.competition.submission import Submission
from tt_tensor.errors import ArgumentError

DIGITS = "0123456789abcdef"


@pytest.fixture
def made(figures, prepared, monkeypatch):
    """Submissions that differ, whose verification is remembered: name → Verified."""
    files = {path.name: path.read_bytes() for path in prepared.iterdir()}
    submission = Submission.from_dict(json.loads(files["submission.json"]))
    known = {}

    def make(name, quality=1.9, author="Ada", sha=None, **changes):
        found = replace(figures, quality=quality, weights_sha256=(sha or DIGITS[len(known)]) * 64, **changes)
        mine = replace(submission, name=name, author=author)
        known[name] = Verified(mine, mine.digest(found.weights_sha256), found, found, files)
        return name

    def verify(folder, **limits):
        for one in known.values():
            if str(folder).endswith(one.submission.name) or one.digest in str(folder):
                return one
        raise FiguresError("the figures do not stand: forged")

    monkeypatch.setattr("tt_perf.competition.leaderboard.verify_submission", verify)
    make.known = known
    return make


def test_entries_by_score(made, tmp_path):
    board = Leaderboard(tmp_path / "l.json")
    assert board.table() == "no entries yet\n" and not board.entries
    for name, quality in (("good", 1.8), ("bad", 2.5), ("best", 1.5)):
        assert board.submit(made(name, quality)).name == name
    ranked = board.ranked("tinygpt")
    assert [entry.name for entry, _ in ranked] == ["best", "good", "bad"]
    assert [ahead for _, ahead in ranked] == [True, False, False]
    assert ranked[2][0].score == 0 and ranked[0][0].score > ranked[1][0].score
    again = Leaderboard(tmp_path / "l.json")
    assert again.entries == board.entries
    assert "best (Ada)" in again.table() and "1.5000 nats" in again.table("tinygpt")
    assert again.table("mnist") == "no entries yet\n"


def test_the_same_submission_is_one_entry_and_its_first_author_keeps_it(made, tmp_path):
    board = Leaderboard(tmp_path / "l.json")
    board.submit(made("mine", sha="7"))
    entry = board.submit(made("stolen", author="Eve", sha="7"))
    assert entry.author == "Ada" and len(board.entries) == 1


def test_what_is_refused_is_not_entered(made, tmp_path):
    with pytest.raises(FiguresError):
        submit("forged", tmp_path / "l.json")
    assert not (tmp_path / "l.json").exists()


def test_merging(made, tmp_path):
    mine, theirs = Leaderboard(tmp_path / "mine.json"), Leaderboard(tmp_path / "theirs.json")
    mine.submit(made("a"))
    made("b")
    theirs.submit("a")
    theirs.submit("b")
    assert mine.merge(theirs.path) == 1
    assert mine.merge(theirs.path) == 0
    verified = {entry.name: entry.verified for entry in mine.entries.values()}
    assert verified == {"a": True, "b": False}
    assert "unverified" in mine.table()
    assert [entry.name for entry, _ in mine.ranked("tinygpt")] == ["a", "b"]
    assert mine.verify() == {}
    assert all(entry.verified for entry in mine.entries.values())


def test_the_unverified_are_not_on_the_front(made, tmp_path):
    mine, theirs = Leaderboard(tmp_path / "mine.json"), Leaderboard(tmp_path / "theirs.json")
    mine.submit(made("plain", 1.9))
    theirs.submit(made("wonder", 0.1))
    mine.merge(theirs.path)
    assert [(entry.name, ahead) for entry, ahead in mine.ranked("tinygpt")] == [
        ("plain", True),
        ("wonder", False),
    ]


def test_a_forged_entry_is_removed_when_it_is_run(made, tmp_path):
    mine, theirs = Leaderboard(tmp_path / "mine.json"), Leaderboard(tmp_path / "theirs.json")
    theirs.submit(made("wonder", 0.1))
    mine.merge(theirs.path)
    del made.known["wonder"]
    assert mine.verify() == {"wonder": "the figures do not stand: forged"}
    assert not mine.entries and not list(mine.store.iterdir())


def test_an_entry_without_a_copy_stays_unverified(made, tmp_path):
    import shutil

    mine, theirs = Leaderboard(tmp_path / "mine.json"), Leaderboard(tmp_path / "theirs.json")
    theirs.submit(made("a"))
    shutil.rmtree(theirs.store)
    mine.merge(theirs.path)
    assert "there is no copy of it" in mine.verify()["a"]
    assert [entry.verified for entry in mine.entries.values()] == [False]


def test_what_another_machine_verified_is_run_again(made, tmp_path):
    board = Leaderboard(tmp_path / "l.json")
    board.submit(made("a", machine={"processor": "of somebody else"}))
    made("b")
    runs = []
    made.known["a"] = replace(made.known["a"], measured=replace(made.known["a"].measured, quality=1.7))
    assert board.verify() == {} and not runs
    assert [entry.figures.quality for entry in board.entries.values()] == [1.7]


def test_several_who_submit_at_once(made, tmp_path):
    names = [made(f"n{at}") for at in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: submit(name, tmp_path / "l.json"), names))
    assert {entry.name for entry in Leaderboard(tmp_path / "l.json").entries.values()} == set(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.json", "l.submissions"]


CHANGES = {
    "no-object": lambda board: [],
    "format": lambda board: board | {"format": "other"},
    "entries": lambda board: board | {"entries": {}},
    "entry": lambda board: board | {"entries": [5]},
    "twice": lambda board: board | {"entries": board["entries"] * 2},
    "field": lambda board: board | {"entries": [board["entries"][0] | {"more": 1}]},
    "verified": lambda board: board | {"entries": [board["entries"][0] | {"verified": "yes"}]},
    "digest": lambda board: board | {"entries": [board["entries"][0] | {"digest": "0" * 64}]},
    "path-for-digest": lambda board: board | {"entries": [board["entries"][0] | {"digest": "../../home"}]},
    "quality": lambda board: with_figures(board, quality=0.1),
    "test-set": lambda board: with_figures(board, test_set_sha256="1" * 64),
    "architecture": lambda board: with_submission(board, architecture="eval"),
    "name": lambda board: with_submission(board, name="\x1b[2J"),
}


def with_figures(board, **changes):
    (entry,) = board["entries"]
    return board | {"entries": [entry | {"figures": entry["figures"] | changes}]}


def with_submission(board, **changes):
    (entry,) = board["entries"]
    return board | {"entries": [entry | {"submission": entry["submission"] | changes}]}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_are_no_leaderboards(made, tmp_path, change):
    board = Leaderboard(tmp_path / "l.json")
    board.submit(made("a"))
    found = json.loads(board.path.read_text(encoding="utf-8"))
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(CHANGES[change](found)), encoding="utf-8")
    with pytest.raises(LeaderboardError, match=r"forged\.json"):
        Leaderboard(forged)
    before = board.path.read_bytes()
    with pytest.raises(LeaderboardError, match=r"forged\.json"):
        board.merge(forged)
    assert board.path.read_bytes() == before


def test_another_test_set_in_an_entry_that_is_sealed(made, tmp_path):
    found = made.known[made("a", test_set_sha256="1" * 64)]
    entry = Entry(found.submission, found.measured, True).to_dict()
    text = json.dumps({"format": "tt-perf leaderboard 1", "entries": [entry]})
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(LeaderboardError, match="measured on another test set than tinygpt's"):
        Leaderboard(tmp_path / "x.json")


def test_nowhere_to_write(made, tmp_path, monkeypatch):
    made("a")
    monkeypatch.setattr(
        "tt_perf.competition.leaderboard.verify_submission", lambda *_, **__: pytest.fail("it was run")
    )
    with pytest.raises(ArgumentError, match=r"is no folder to keep l\.json in"):
        submit("a", tmp_path / "nowhere" / "l.json")
    for folder in (tmp_path, ".", "/"):
        with pytest.raises(LeaderboardError, match="is a folder"):
            Leaderboard(folder)
    with pytest.raises(LeaderboardError, match="there is no leaderboard"):
        Leaderboard(tmp_path / "l.json").merge(tmp_path / "none.json")


def test_the_program(made, tmp_path, capsys):
    from tt_perf.cli import main

    made("a", 1.8)
    board = str(tmp_path / "l.json")
    assert main(["submit", "a", "--leaderboard", board]) == 0
    assert "a by Ada: 1.8000 nats" in capsys.readouterr().out
    assert main(["submit", "forged", "--leaderboard", board]) == 1
    assert capsys.readouterr().err == "tt-perf submit: the figures do not stand: forged\n"
    assert main(["leaderboard", board]) == 0
    assert "a (Ada)" in capsys.readouterr().out
    other = str(tmp_path / "other.json")
    made("b", 1.7)
    submit("b", other)
    assert main(["leaderboard", board, "--merge", other, "--verify"]) == 0
    out = capsys.readouterr().out
    assert "1 new" in out and "b (Ada)" in out and "unverified" not in out
    del made.known["b"]
    assert main(["leaderboard", board, "--verify", "--all"]) == 1
    assert "b does not stand: the figures do not stand: forged" in capsys.readouterr().out
    assert main(["leaderboard", board, "--merge", "nowhere.json"]) == 2
    assert main(["leaderboard", str(tmp_path / "none.json")]) == 2
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    assert main(["leaderboard", str(tmp_path / "bad.json")]) == 2
    assert "is no leaderboard" in capsys.readouterr().err
