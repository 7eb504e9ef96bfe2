"""The pages and the API of imports, by Django's client."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from budgets.access.keys import make_key
from tests.people import viewer
from usage.imports.kinds import all_kinds
from usage.imports.tasks import check_imports, run_imports
from usage.models import Import, LedgerEntry
from usage.tests.events import price_the_model
from usage.tests.imports_made import checked, first_rows, imported, taken

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = "id,time,model,workflow,input_tokens,output_tokens\n"
GOOD = "".join(f"c{n},2026-11-0{n}T10:00:00Z,test-model,briefs,100,10\n" for n in range(1, 6))
BAD = 'c8,never,test-model,"=briefs",1,1\nc9,2026-11-01,test-model,briefs,-2,1\n'


@pytest.fixture(autouse=True)
def rows():
    first_rows()
    price_the_model()


@pytest.fixture
def boss(client):
    user = User.objects.create_superuser("lena")
    client.force_login(user)
    return client


def upload(client, text, kind="usage", name="past.csv"):
    sent = SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode(), "text/csv")
    return client.post(reverse("import-upload"), {"kind": kind, "file": sent})


def test_the_whole_path(boss):
    page = boss.get(reverse("imports"))
    assert "No imports yet" in page.text
    at = upload(boss, HEADER + GOOD + BAD)["Location"]
    page = boss.get(at)
    assert "Which column is what" in page.text
    assert "2026-11-01T10:00:00Z" in page.text
    run = Import.objects.get()
    fields = {f"column_{name}": heading for name, heading in run.mapping.items()}
    boss.post(at + "columns/", fields)
    assert "Checking the file" in boss.get(at).text
    assert boss.get(at + "progress/").status_code == 200
    check_imports()
    assert boss.get(at + "progress/")["HX-Redirect"] == at
    page = boss.get(at)
    assert "Import the 5 good lines, leave out 2 bad ones" in page.text
    assert "is not a date such as 2026-11-30" in page.text
    boss.post(at + "confirm/")
    run_imports()
    page = boss.get(at)
    assert "5 lines were brought in, 2 bad ones left out" in page.text
    assert LedgerEntry.objects.count() == 5
    boss.post(at + "undo/")
    assert "Taking it back" in boss.get(at).text
    run_imports()
    assert "Taken back." in boss.get(at).text
    assert LedgerEntry.objects.filter(kind=2).count() == 5
    page = boss.get(reverse("imports"))
    assert "past.csv" in page.text
    assert "Undone" in page.text
    page = boss.post(at + "confirm/", follow=True)
    assert "is “undone” now. Nothing was changed." in page.text


def test_bad_lines_come_back_as_they_were_and_may_be_sent_again(boss):
    run = checked(HEADER + GOOD + BAD)
    answer = boss.get(reverse("import-errors-csv", args=[run.pk]))
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["problem_line"] for row in rows] == ["7", "8"]
    assert rows[0]["workflow"] == "'=briefs"
    assert rows[0]["problem"].startswith("time: “never” is not a date")
    assert rows[1]["input_tokens"] == "-2"
    again = imported(text.replace("never", "2026-11-01").replace("-2", "2").replace("'=briefs", "briefs"))
    assert (again.good, again.bad) == (2, 0)


def test_wrong_choices_are_told_beside_their_field(boss):
    run = taken(HEADER + GOOD)
    answer = boss.post(reverse("import-columns", args=[run.pk]), {"column_time": "id", "column_user": "id"})
    assert answer.status_code == 422
    assert "no line can be imported without it" in answer.text
    assert "A column can be one thing only" in answer.text
    assert "2 choices need a change" in answer.text


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The file is empty"),
        (b"  \n \n", "The file is empty"),
        (b"PK\x03\x04rest", "a spreadsheet (.xlsx)"),
        (b"\x1f\x8b\x08rest", "Unpack it"),
        (b"id,time\nx\x00,y\n", "no text has"),
        (b"a,b,a\n1,2,3\n", "Two columns are called “a”"),
        (b'{"id": 1}', "JSON"),
        (b"\x81\x8d\x8f,b\n", "letters cannot be read"),
        ((",".join(f"c{n}" for n in range(400)) + "\n1\n").encode(), "400 columns; at most 300"),
        (b"," * 1_000_000 + b"\n", "longer than 1,000,000 characters"),
        (b"x" * 3_000_000, "longer than 1,000,000 characters"),
    ],
)
def test_files_that_cannot_be_read_are_refused_with_a_sentence(boss, body, sentence):
    answer = upload(boss, body)
    assert answer.status_code == 422
    assert sentence in answer.text.replace("&quot;", '"')
    assert not Import.objects.exists()


def test_a_file_that_is_too_large(boss, settings):
    settings.IMPORT_MAX_BYTES = 2**20
    answer = upload(boss, b"a,b\n" + b"1,2\n" * 300_000)
    assert answer.status_code == 422
    assert "larger than 1 MB" in answer.text
    assert not Import.objects.exists()


def test_missing_and_unknown_choices(boss):
    assert "Choose a file." in boss.post(reverse("import-upload"), {"kind": "usage"}).text
    assert "Choose what the file holds." in upload(boss, HEADER + GOOD, kind="zebra").text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER, "no line below it"),
        (HEADER + 'c1,"2026-11-01T10:00:00Z,test-model\n' + "x,y\n" * 400_000, "cannot be read"),
    ],
)
def test_files_that_fail_in_the_check(boss, text, sentence):
    run = checked(text)
    assert run.status == "failed"
    page = boss.get(reverse("import", args=[run.pk]))
    assert sentence in page.text
    assert "Choose columns again" in page.text
    boss.post(reverse("import-discard", args=[run.pk]))
    run.refresh_from_db()
    assert (run.status, bytes(run.file)) == ("discarded", b"")


def test_formulas_and_odd_letters_are_text(boss):
    text = HEADER.replace("workflow", "user") + 'c1,2026-11-01,test-model,"=HYPERLINK(""x"")<b>",1,1\n'
    run = imported(text)
    assert LedgerEntry.objects.get().user == '=HYPERLINK("x")<b>'
    assert "<b>" not in boss.get(reverse("import", args=[run.pk])).text.split("<main")[1].replace("<b>Imported", "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_every_usual_encoding(encoding):
    run = imported((HEADER.replace("workflow", "user") + "c1,2026-11-01,test-model,Zoë,1,1\n").encode(encoding))
    assert LedgerEntry.objects.get().user == "Zoë", run.options


def test_who_may_not_import_sees_the_facts_and_who_can(client):
    user = viewer("max")
    client.force_login(user)
    run = checked(HEADER + GOOD)
    page = client.get(reverse("imports"))
    assert "An administrator of your organisation can give it to you" in page.text
    assert "file.csv" in page.text
    for name in ("import", "import-progress", "import-errors-csv"):
        assert client.get(reverse(name, args=[run.pk])).status_code == 403
    for name in ("import-confirm", "import-undo", "import-discard", "import-again", "import-go-on", "import-columns"):
        assert client.post(reverse(name, args=[run.pk])).status_code == 403
    assert upload(client, HEADER + GOOD).status_code == 403
    user.memberships.create(role="finance")
    assert client.get(reverse("import", args=[run.pk])).status_code == 200
    assert upload(client, HEADER + GOOD).status_code == 302


def test_signed_out_people_are_sent_to_sign_in(client):
    assert client.get(reverse("imports"))["Location"].startswith("/sign-in/")


def test_examples_can_be_downloaded(boss):
    for key in all_kinds():
        assert boss.get(reverse("import-example", args=[key])).status_code == 200
    assert boss.get(reverse("import-example", args=["zebra"])).status_code == 404


def test_the_list_and_its_csv_have_the_same_filter_and_few_statements(boss, django_assert_num_queries):
    for n in range(30):
        run = taken(HEADER + GOOD, name=f"file-{n}.csv")
        Import.objects.filter(pk=run.pk).update(status="done" if n % 2 else "failed", good=n)
    boss.get(reverse("imports"))
    with django_assert_num_queries(6):
        page = boss.get(reverse("imports") + "?status=done&q=file-")
    assert "15 imports" in page.text
    answer = boss.get(reverse("imports-csv") + "?status=done&q=file-")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == 15
    assert "No import matches" in boss.get(reverse("imports") + "?q=zebra").text
    assert boss.get(reverse("imports") + "?status=zebra&page=99&kind=x").status_code == 200


def test_a_report_of_many_problems_is_paged_and_bounded(boss, django_assert_num_queries):
    run = checked("time,model\n" + "never,m\n" * 1_200)
    with django_assert_num_queries(8):
        page = boss.get(reverse("import", args=[run.pk]))
    assert "Page 1 of 20" in page.text
    assert "The first 1,000 are shown here" in page.text
    assert boss.get(reverse("import", args=[run.pk]) + "?page=20").status_code == 200
    answer = boss.get(reverse("import-errors-csv", args=[run.pk]))
    assert len(list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))) == 1_201


@pytest.fixture
def key(client):
    secret = make_key("finance", ["admin", "read"])[1]
    return {"HTTP_AUTHORIZATION": f"Bearer {secret}"}


def test_the_api_does_the_same(client, key):
    answer = client.post("/api/v1/imports?name=past.csv", HEADER + GOOD + BAD, content_type="text/csv", **key)
    assert answer.status_code == 201, answer.text
    at = f"/api/v1/imports/{answer.json()['id']}"
    assert answer.json()["status"] == "checking"
    assert client.post(at + "/confirm", **key).status_code == 409
    check_imports()
    told = client.get(at, **key).json()
    assert (told["status"], told["good"], told["bad"]) == ("checked", 5, 2)
    problems = client.get(at + "/problems", **key).json()
    assert [one["line"] for one in problems["results"]] == [7, 8]
    assert client.post(at + "/confirm", **key).status_code == 202
    run_imports()
    assert client.get(at, **key).json()["status"] == "done"
    assert client.post(at + "/undo", **key).status_code == 202
    run_imports()
    assert client.get(at, **key).json()["undo_done"] == 5
    assert len(client.get("/api/v1/imports", **key).json()["results"]) == 1


def test_the_api_says_what_is_wrong(client, key, settings):
    def post(path="", body="", kind="text/csv"):
        return client.post(f"/api/v1/imports{path}", body, content_type=kind, **key)

    assert post(body="").status_code == 422
    assert post("?kind=zebra", HEADER + GOOD).json()["type"].endswith("unknown-kind")
    assert post(body="{}", kind="application/json").status_code == 415
    answer = post(body="when,what\n2026-11-01,m\n")
    assert answer.json()["status"] == "mapping"
    at = f"/{answer.json()['id']}/columns"
    assert post(at, '{"mapping": {"time": "when"}}', "application/json").json()["errors"]["model"]
    good = '{"mapping": {"time": "when", "model": "what"}, "options": {"order": "year"}}'
    assert post(at, good, "application/json").json()["status"] == "checking"
    settings.IMPORT_MAX_BYTES = 1024
    assert post(body="a,b\n" + "1,2\n" * 1000).status_code in {413, 422}
    form = SimpleUploadedFile("x.csv", (HEADER + GOOD).encode() * 20, "text/csv")
    assert client.post("/api/v1/imports", {"file": form}, **key).status_code == 413
    assert client.post("/api/v1/imports", {"kind": "usage"}, **key).json()["type"].endswith("no-file")
    assert client.get("/api/v1/imports/999", **key).status_code == 404


def test_the_api_asks_people_for_the_kinds_right(client):
    client.force_login(viewer("max"))
    assert client.post("/api/v1/imports", HEADER + GOOD, content_type="text/csv").status_code == 403
    run = checked(HEADER + GOOD)
    assert client.get(f"/api/v1/imports/{run.pk}").status_code == 403
    assert client.post(f"/api/v1/imports/{run.pk}/confirm").status_code == 403
    assert client.get("/api/v1/imports").json()["results"] == []
