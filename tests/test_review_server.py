"""The server of a review over a real port: what it shows, decides, removes and undoes, alone and beside others."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pictures import draw, moving, save
from PIL import Image
from recognised import read_as
from reviewing import Client, Opened, opened, visit
from trees import copy_tree, digest, tree

from hashindex import Grouping, HashIndex, Level, UsageError
from hashindex.core.deduping import DedupeOptions
from hashindex.core.words import TextLine
from hashindex.review.sitting import Sitting
from hashindex.review.thumbnail_cache import ThumbnailCache


def chat_pictures(folder: Path) -> Path:
    """A cat, its bytes again and a small copy; a dog twice; a face that moves, twice."""
    save(draw(5, (320, 240)), folder / "cat.png")
    shutil.copy2(folder / "cat.png", folder / "same.png")
    save(draw(5, (320, 240)).resize((160, 120)), folder / "small.png")
    save(draw(6, (320, 240)), folder / "dogs" / "dog.png")
    shutil.copy2(folder / "dogs" / "dog.png", folder / "dogs" / "dog again.png")
    frames = moving(1, range(6))
    save(frames[0], folder / "face.gif", save_all=True, append_images=frames[1:], duration=90)
    shutil.copy2(folder / "face.gif", folder / "face again.gif")
    return folder


def two_variants(folder: Path) -> Path:
    """A picture, and the same with a mark of 30 x 30 pixels at (250, 170)."""
    plain = draw(8, (320, 240))
    marked = plain.copy()
    marked.paste("black", (250, 170, 280, 200))
    marked.paste("white", (258, 178, 272, 192))
    save(plain, folder / "plain.png")
    save(marked, folder / "marked.png")
    return folder


@pytest.fixture(autouse=True)
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's trash."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "Trash" / "files"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of its folder "pictures", which is made of "saved"."""
    place = tmp_path_factory.mktemp("template")
    chat_pictures(place / "saved")
    copy_tree(place / "saved", place / "pictures")
    index = HashIndex(place / "catalogue.db")
    index.scan([place / "pictures"])
    index.plan_dedupe()
    return place


@pytest.fixture
def chat(template: Path, index: HashIndex) -> Path:
    """See chat_pictures; scanned, as if by this index."""
    copy_tree(template / "saved", template / "pictures")
    shutil.copy(template / "catalogue.db", index.path)
    return template / "pictures"


@pytest.fixture
def review(chat: Path, index: HashIndex) -> Iterator[Opened]:
    with opened(index) as running:
        yield running


@pytest.fixture
def page(review: Opened) -> Client:
    """A page that opened the address."""
    return review.visit(review.address)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A page, and a folder as chat, for tests that change nothing."""
    place = tmp_path_factory.mktemp("seen")
    folder = chat_pictures(place / "pictures")
    index = HashIndex(place / "catalogue.db")
    index.scan([folder])
    with opened(index) as running:
        yield running.visit(), folder


def names(group: Any) -> list[str]:
    return [member["name"] for member in group["members"]]


def group_with(page: Client, name: str, query: str = "") -> Any:
    """The group with a picture, with all its details."""
    found = next(group for group in page.groups(query) if name in names(group))
    return page.get(f"/api/groups/{found['group']}")


def member(group: Any, name: str) -> str:
    """The id of a member."""
    return str(next(each["picture"] for each in group["members"] if each["name"] == name))


# What is shown


def test_a_group_has_its_members_with_reasons(seen: tuple[Client, Path]) -> None:
    page, chat = seen
    group = group_with(page, "small.png")
    keeper, *others = group["members"]
    assert (keeper["keeper"], keeper["relation"], keeper["removable"]) == (True, "best", False)
    assert {each["name"]: (each["relation"], each["removable"], each["faults"]) for each in others} == {
        ({"cat.png", "same.png"} - {keeper["name"]}).pop(): ("identical", True, []),
        "small.png": ("copy", True, ["resized"]),
    }
    assert group["why"].startswith("kept: ") and group["decision"] is None and not group["reviewed"]
    assert (keeper["folder"], keeper["width"], keeper["height"]) == (str(chat), 320, 240)
    assert page.get(f"/api/groups/{group['group']}") == group


def test_groups_are_filtered_sorted_and_paged(seen: tuple[Client, Path]) -> None:
    page, _ = seen
    everything = page.get("/api/groups?sort=path")
    assert [group["number"] for group in everything["groups"]] == [1, 2, 3] and everything["total"] == 3
    assert [names(group)[0] for group in page.groups("only=animated")] == [names(group_with(page, "face.gif"))[0]]
    assert sorted(len(group["members"]) for group in page.groups("only=identical")) == [2, 2]
    assert len(page.groups("only=new")) == 3 and page.groups("only=reviewed") == []
    assert names(page.groups("sort=members")[0]).count("small.png") == 1
    assert "small.png" in names(page.groups("sort=weakest")[0])
    second = page.get("/api/groups?sort=path&start=1&count=1")
    assert (second["total"], second["start"]) == (3, 1)
    assert [names(group) for group in second["groups"]] == [names(everything["groups"][1])]
    state = page.get("/api/state")
    assert [each["name"] for each in state["folders"]] == [everything["groups"][0]["members"][0]["folder"]]
    assert len(page.groups(f"folder={state['folders'][0]['id']}")) == 3


def test_the_state_tells_what_is_left_and_what_is_sure_to_go(seen: tuple[Client, Path]) -> None:
    page, chat = seen
    state = page.get("/api/state")
    size = {name: (chat / name).stat().st_size for name in ("cat.png", "small.png", "dogs/dog.png", "face.gif")}
    assert state["counts"] == {
        "groups": 3,
        "reviewed": 0,
        "left": 3,
        "bytes_left": sum(size.values()),
        "bytes_freed": 0,
    }
    assert state["sure_to_remove"]["identical"] == {
        "groups": 2,
        "files": 2,
        "bytes": size["dogs/dog.png"] + size["face.gif"],
    }


def test_only_groups_with_a_picture_below_the_named_folders_are_reviewed(chat: Path, index: HashIndex) -> None:
    with opened(index, folders=[chat / "dogs"]) as review:
        page = review.visit()
        assert [sorted(names(group)) for group in page.groups()] == [["dog again.png", "dog.png"]]
        assert page.get("/api/state")["sure_to_remove"]["identical"]["groups"] == 1


def test_a_review_by_a_hash_is_refused(index: HashIndex) -> None:
    with pytest.raises(UsageError, match="judge"):
        Sitting(index, Grouping(hash="dhash"))


def test_sentences_are_in_the_language_of_the_page(seen: tuple[Client, Path]) -> None:
    page, _ = seen
    chinese = page.get("/api/groups?only=identical", **{"Accept-Language": "zh-CN,en;q=0.5"})
    assert all(not group["why"].isascii() for group in chinese["groups"])
    assert all(group["why"].isascii() for group in page.groups("only=identical"))


# Pictures


def test_pictures_thumbnails_and_frames_can_be_shown(seen: tuple[Client, Path]) -> None:
    page, chat = seen
    group = group_with(page, "face.gif")
    address = f"/api/pictures/{member(group, 'face.gif')}"
    whole = page.ask("GET", f"{address}/picture")
    assert (whole.headers["Content-Type"], whole.body) == ("image/gif", (chat / "face.gif").read_bytes())
    small = page.ask("GET", f"{address}/thumbnail?side=32")
    with Image.open(io.BytesIO(small.body)) as image:
        assert (small.headers["Content-Type"], image.format, max(image.size)) == ("image/webp", "WEBP", 32)
    frames = page.get(f"{address}/frames?side=64")
    with Image.open(io.BytesIO(base64.b64decode(frames["sheet"]))) as image:
        assert image.size == (6 * 64, 64)
    assert (frames["count"], frames["durations_ms"]) == (6, [90] * 6)


def test_a_format_that_no_browser_shows_is_converted(folder: Path, index: HashIndex) -> None:
    for name in ("a.bmp", "b.bmp"):
        save(draw(3), folder / name)
    index.scan([folder])
    with opened(index) as review:
        page = review.visit()
        shown = page.ask("GET", f"/api/pictures/{page.groups()[0]['members'][0]['picture']}/picture")
    with Image.open(io.BytesIO(shown.body)) as image:
        assert (shown.headers["Content-Type"], image.format, image.size) == ("image/png", "PNG", (160, 120))


def test_a_thumbnail_is_made_once_and_only_of_the_bytes_that_were_scanned(
    page: Client, chat: Path, index: HashIndex
) -> None:
    group = group_with(page, "dog.png")
    address = f"/api/pictures/{member(group, 'dog.png')}/thumbnail?side=64"
    made = page.ask("GET", address).body
    save(draw(8), chat / "dogs" / "dog.png")
    assert page.ask("GET", address).body == made
    other = page.ask("GET", address.replace("side=64", "side=65"))
    assert other.status == 422 and "changed" in other.json()["error"]
    kept = [path for path in ThumbnailCache(index.path).folder.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [made]
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}


def test_the_thumbnails_on_the_disk_stay_below_their_bound(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "c.db", most_bytes=10_000)
    for number in range(40):
        key = f"{number:032x}"
        cache.put(key, bytes(1_000))
        os.utime(cache.folder / key[:2] / key, ns=(number, number))
    kept = [number for number in range(40) if cache.get(f"{number:032x}") is not None]
    assert 39 in kept and len(kept) <= 10 and kept == sorted(kept)[-len(kept) :]
    (tmp_path / "file").write_bytes(b"")
    nowhere = ThumbnailCache(tmp_path / "file" / "c.db")
    nowhere.put("00", b"thumbnail")
    assert nowhere.get("00") is None


def test_where_two_pictures_differ_is_told_in_pixels_of_the_first(folder: Path, index: HashIndex) -> None:
    index.scan([two_variants(folder)])
    with opened(index, grouping=Grouping(Level.SIMILAR)) as review:
        page = review.visit()
        group = page.groups()[0]
        asked = f"first={member(group, 'plain.png')}&second={member(group, 'marked.png')}"
        found = page.get(f"/api/difference?{asked}")
    assert (found["width"], found["height"]) == (320, 240) and found["says"]
    # The mark, and the windows around it.
    [(x, y, width, height)] = found["areas"]
    assert 230 <= x <= 250 and 280 <= x + width <= 300 and 150 <= y <= 170 and 200 <= y + height <= 220


# Decisions


def test_a_skipped_group_is_reviewed_here_and_in_the_next_review(page: Client, index: HashIndex) -> None:
    group = group_with(page, "small.png")
    answer = page.post("/api/decide", {"group": group["group"], "decision": "skip", "pictures": []})
    assert (answer["group"]["decision"], answer["group"]["reviewed"]) == ("skipped", True)
    assert (answer["counts"]["reviewed"], answer["counts"]["left"]) == (1, 2)
    assert len(page.groups("only=undecided")) == 2
    with opened(index) as review:
        assert len(review.visit().groups("only=undecided")) == 2


def test_pictures_are_separated_and_this_is_undone(page: Client) -> None:
    group = group_with(page, "small.png")
    asked = {"group": group["group"], "decision": "separate", "pictures": [member(group, "small.png")]}
    answer = page.post("/api/decide", asked)
    assert sorted(names(answer["group"])) == ["cat.png", "same.png"] and answer["group"]["reviewed"]
    undone = page.post("/api/decide", {"group": group["group"], "decision": "undo", "pictures": []})
    assert undone["group"]["group"] == group["group"] and not undone["group"]["reviewed"]
    assert [each["undone"] for each in page.get("/api/done")["decisions"]] == [True]


def test_a_kept_picture_is_the_keeper_and_the_rest_is_removed_for_it(page: Client, chat: Path) -> None:
    group = group_with(page, "small.png")
    asked = {"group": group["group"], "decision": "keep", "pictures": [member(group, "small.png")]}
    kept = page.post("/api/decide", asked)["group"]
    assert names(kept)[0] == "small.png" and kept["decision"] == "kept"
    assert kept["group"] == group["group"]
    done = page.post("/api/remove", {"groups": [kept["group"]], "preview": False})
    assert sorted(each["name"] for each in done["removed"]) == ["cat.png", "same.png"]
    assert sorted(path.name for path in chat.glob("*.png")) == ["small.png"]


def test_the_same_can_be_decided_of_variants(folder: Path, index: HashIndex) -> None:
    index.scan([two_variants(folder)])
    with opened(index) as review:
        page = review.visit()
        group = page.groups("level=similar")[0]
        page.post("/api/decide", {"group": group["group"], "decision": "same", "pictures": []})
        assert len(page.groups("level=copies")) == 1
    assert [one.same for one in index.decisions()] == [True]


# Removals


def test_the_rest_of_a_group_is_removed_and_put_back(page: Client, chat: Path, trash: Path) -> None:
    before = tree(chat)
    group = group_with(page, "small.png")
    preview = page.post("/api/remove", {"groups": [group["group"]], "preview": True})
    assert tree(chat) == before and not trash.exists()
    done = page.post("/api/remove", {"groups": [group["group"]], "preview": False})
    removed = sorted(path.name for path in trash.iterdir())
    assert removed == sorted(each["name"] for each in done["removed"]) and len(removed) == 2
    assert (done["removed"], done["left"], done["bytes"]) == (preview["removed"], [], preview["bytes"])
    assert done["counts"]["bytes_freed"] == done["bytes"] and done["counts"]["reviewed"] == 1
    assert len(page.groups()) == 2
    listed = page.get("/api/done")["batches"][0]
    assert (listed["batch"], listed["files"], listed["bytes"], listed["undone"]) == (
        done["batch"],
        2,
        done["bytes"],
        False,
    )
    undone = page.post("/api/undo", {})
    assert (undone["batch"], undone["restored"], undone["refused"]) == (done["batch"], 2, [])
    assert tree(chat) == before
    assert undone["counts"]["bytes_freed"] == 0 and undone["counts"]["reviewed"] == 0
    assert group_with(page, "small.png")["group"] == group["group"]
    assert page.get("/api/done")["batches"][0]["undone"]


def test_all_groups_of_identical_files_are_removed_in_one_batch(page: Client, chat: Path) -> None:
    keys = [group["group"] for group in page.groups("only=identical")]
    preview = page.post("/api/remove", {"groups": keys, "preview": True})
    assert preview["groups"] == 2 and len(preview["removed"]) == 2
    done = page.post("/api/remove", {"groups": [*keys, "0" * 24], "preview": False})
    assert (len(done["removed"]), done["changed"]) == (2, 1)
    assert page.groups("only=identical") == []
    assert len(page.groups()) == 1


def test_what_cannot_be_removed_is_left_with_the_reason(page: Client, chat: Path) -> None:
    group = group_with(page, "dog.png")
    keeper = group["members"][0]["name"]
    save(draw(9), chat / "dogs" / keeper)
    done = page.try_post("/api/remove", {"groups": [group["group"]], "preview": False})
    assert done.status == 200 and done.json()["removed"] == [] and done.json()["batch"] is None
    assert all(each["because"] for each in done.json()["left"])
    assert len(list((chat / "dogs").iterdir())) == 2


def test_variants_are_not_removed(seen: tuple[Client, Path]) -> None:
    page, _ = seen
    group = page.groups("level=similar")[0]
    assert page.try_post("/api/remove", {"groups": [group["group"]], "preview": False}).status == 400


def test_an_earlier_removal_is_listed_and_undone_by_its_number(review: Opened, index: HashIndex, chat: Path) -> None:
    before = tree(chat)
    batch = index.dedupe(DedupeOptions(identical=True)).outcome.batch
    page = review.visit()
    listed = page.get("/api/done")["batches"]
    assert [(each["batch"], each["of_this_review"]) for each in listed] == [(batch, False)]
    assert page.post("/api/undo", {"batch": batch})["restored"] == 3
    assert tree(chat) == before and len(page.groups()) == 3
    assert page.try_post("/api/undo", {"batch": 99}).status == 400


# Beside others


def test_of_two_pages_the_second_is_told_what_is_true_now(review: Opened) -> None:
    one, other = review.visit(), review.visit()
    group = group_with(one, "small.png")
    one.post("/api/decide", {"group": group["group"], "decision": "separate", "pictures": [member(group, "small.png")]})
    for path, asked in (
        ("/api/decide", {"decision": "same", "pictures": []}),
        ("/api/remove", {}),
    ):
        value = {"group": group["group"], "groups": [group["group"]], "preview": False, **asked}
        answer = other.try_post(path, value)
        assert answer.status == 409
        assert sorted(names(answer.json()["group"])) == ["cat.png", "same.png"] and answer.json()["error"]
    assert other.ask("GET", f"/api/groups/{group['group']}").status == 404
    assert one.get("/api/done") == other.get("/api/done")


def test_what_the_command_line_changed_makes_a_decision_stale(page: Client, index: HashIndex, chat: Path) -> None:
    group = group_with(page, "small.png")
    index.separate(chat / "cat.png", chat / "small.png")
    before = index.decisions()
    answer = page.try_post("/api/decide", {"group": group["group"], "decision": "same", "pictures": []})
    assert answer.status == 409 and sorted(names(answer.json()["group"])) == ["cat.png", "same.png"]
    assert index.decisions() == before
    dog = group_with(page, "dog.png")
    index.dedupe(DedupeOptions(identical=True))
    answer = page.try_post("/api/remove", {"groups": [dog["group"]], "preview": False})
    assert (answer.status, answer.json()["group"]) == (409, None)


def test_newcomers_appear_and_every_page_is_told(
    review: Opened, index: HashIndex, chat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.review.sitting.QUIET_S", 1.0)
    page = review.visit()
    assert len(page.groups()) == 3
    with page.events() as events:
        save(draw(7, (200, 160)), chat / "owl.png")
        save(draw(7, (200, 160)), chat / "owl.bmp")
        index.scan()
        event = next(events)
    assert event["kind"] == "changed" and event["counts"]["groups"] == 4
    assert len(page.groups()) == 4


def test_a_file_that_joins_before_a_removal_is_noticed(page: Client, index: HashIndex, chat: Path) -> None:
    group = group_with(page, "dog.png")
    shutil.copy2(chat / "dogs" / "dog.png", chat / "third dog.png")
    index.scan()
    answer = page.try_post("/api/remove", {"groups": [group["group"]], "preview": False})
    assert answer.status == 409 and "third dog.png" in names(answer.json()["group"])
    assert len(list(chat.rglob("*dog*.png"))) == 3


# Search and the desktop


def test_a_picture_is_searched_by_its_bytes_and_by_its_address(seen: tuple[Client, Path]) -> None:
    page, chat = seen
    target = io.BytesIO()
    draw(5, (320, 240)).save(target, "JPEG", quality=80)
    answer = page.ask("POST", "/api/search", target.getvalue(), {"Content-Type": "application/octet-stream"})
    found = answer.json()["answers"]
    assert sorted(each["name"] for each in found) == ["cat.png", "same.png", "small.png"]
    assert {each["relation"] for each in found} == {"copy"}
    assert page.ask("GET", f"/api/pictures/{found[0]['picture']}/thumbnail").status == 200
    by_path = page.post("/api/search", {"address": str(chat / "dogs" / "dog.png")})
    assert [each["name"] for each in by_path["answers"]] == ["dog again.png"]
    nothing = page.ask("POST", "/api/search", b"no picture", {"Content-Type": "application/octet-stream"})
    assert nothing.status == 422 and "cannot be compared" in nothing.json()["error"]
    assert page.try_post("/api/search", {"address": str(chat / "none.png")}).status == 422


def test_words_and_tags_are_shown_and_find_groups_and_pictures(page: Client, index: HashIndex, chat: Path) -> None:
    read_as(index, {"cat.png": [TextLine("收到请回复", 1.0), TextLine("<b>meow</b>", 1.0)]})
    index.tag(["big", "funny"], [chat / "dogs" / "dog.png"])
    cat, dog = group_with(page, "cat.png"), group_with(page, "dog.png")
    assert {each["name"]: (each["words"], each["tags"]) for each in cat["members"]} == {
        "cat.png": (["收到请回复", "<b>meow</b>"], []),
        "same.png": (["收到请回复", "<b>meow</b>"], []),
        "small.png": ([], []),
    }
    assert [each["tags"] for each in dog["members"]] == [["big", "funny"]] * 2

    def found(words: str, more: str = "") -> list[str]:
        return [group["group"] for group in page.groups(f"words={quote(words)}{more}")]

    assert found("請回 meow") == [cat["group"]] and found("funny") == [dog["group"]]
    assert found("funny", "&only=animated") == found("zebra") == []
    assert page.get("/api/groups?words=again&start=1&count=1")["total"] == 2
    refused = page.ask("GET", "/api/groups?words=%20")
    assert refused.status == 400 and refused.json()["error"]
    index.untag("funny", [chat / "dogs" / "dog.png"])
    assert found("funny") == []
    answers = page.post("/api/search", {"words": "meow"})["answers"]
    assert [(each["words"], each["relation"]) for each in answers] == [(["收到请回复", "<b>meow</b>"], None)]
    assert page.ask("GET", f"/api/pictures/{answers[0]['picture']}/thumbnail").status == 200
    assert page.post("/api/search", {"words": "zebra"})["answers"] == []
    assert page.try_post("/api/search", {"words": ["meow"]}).status == 400


def test_why_a_file_stays_names_no_option_and_no_path(
    page: Client, chat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.organize.removals.SURE", 1.1)
    group = group_with(page, "small.png")
    (why,) = {each["left_because"] for each in group["members"] if each["name"] == "small.png"}
    assert re.fullmatch(r"the judge is only \d+ % sure that it is a copy", why)
    preview = page.post("/api/remove", {"groups": [group["group"]], "preview": True})
    assert [each["because"] for each in preview["left"]] == [why]
    chinese = page.get(f"/api/groups/{group['group']}", **{"Accept-Language": "zh"})
    (why,) = {each["left_because"] for each in chinese["members"]} - {None}
    assert "把握" in why and "--" not in why and str(chat) not in why


def test_the_folder_of_a_picture_is_opened_without_a_shell(
    seen: tuple[Client, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, chat = seen
    picture = member(group_with(page, "dog.png"), "dog.png")
    run: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **given: run.append((command, given)))
    assert page.post("/api/open-folder", {"picture": picture}) == {}
    [(command, given)] = run
    assert isinstance(command, list) and command[-1] == str(chat / "dogs") and not given.get("shell")


# Its end


def test_it_ends_when_the_page_was_closed(chat: Path, index: HashIndex) -> None:
    with opened(index, absent_s=0.5) as review:
        page = review.visit()
        with page.events():
            assert review.thread is not None
            review.thread.join(1.5)
            assert review.thread.is_alive()
        review.thread.join(20)
        assert not review.thread.is_alive()


def test_a_port_that_is_taken_is_told(review: Opened, index: HashIndex) -> None:
    with pytest.raises(UsageError, match=str(review.port)), opened(index, port=review.port):
        pass


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent in another way")
def test_the_command_serves_its_page_until_ctrl_c(chat: Path, index: HashIndex) -> None:
    command = [sys.executable, "-m", "hashindex", "review", "--no-browser", "--json", "--catalogue", str(index.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        ready = json.loads(running.stdout.readline())
        page = visit(ready["address"])
        assert page.get("/api/state")["counts"]["groups"] == 3
        html = page.ask("GET", "/")
        assert html.status == 200 and b"/page/main.js" in html.body
        assert page.ask("GET", "/page/main.js").headers["Content-Type"].startswith("text/javascript")
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert "Traceback" not in running.stderr.read()


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
from hashindex import HashIndex
from hashindex.organize import moves
from reviewing import opened

class Killing:
    left = {at}
    def __getattr__(self, name):
        found = getattr(os, name)
        if name not in ("link", "unlink", "rename", "fsync", "mkdir"):
            return found
        def call(*given, **named):
            Killing.left -= 1
            if not Killing.left:
                os.kill(os.getpid(), signal.SIGKILL)
            return found(*given, **named)
        return call

if __name__ == "__main__":
    with opened(HashIndex({catalogue!r})) as review:
        page = review.visit()
        keys = [group["group"] for group in page.groups()]
        moves.os = Killing()
        page.post("/api/remove", {{"groups": keys, "preview": False}})
        print("survived")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
@pytest.mark.parametrize("at", [2, 5])
def test_nothing_is_lost_if_the_server_is_killed_amid_a_removal(
    chat: Path, index: HashIndex, trash: Path, tmp_path: Path, at: int
) -> None:
    before = tree(chat)
    script = tmp_path / "killed.py"
    path = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    script.write_text(textwrap.dedent(KILLED).format(path=path, at=at, catalogue=str(index.path)))
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == -signal.SIGKILL, (run.stdout, run.stderr)
    index.recover()
    assert not any(batch.is_open for batch in index.history())
    places = [place for place in (chat, trash) if place.exists()]
    there = Counter(digest(path) for place in places for path in place.rglob("*") if path.is_file())
    assert there == Counter(entry[0] for entry in before.values() if entry is not None)
    if index.history()[-1].done:
        with opened(index) as review:
            review.visit().post("/api/undo", {})
    assert tree(chat) == before
