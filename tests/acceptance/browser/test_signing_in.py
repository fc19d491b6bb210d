"""Signing in by an address: with a code, with a token, and where somebody is signed in already."""

import re
import subprocess
import sys
import time

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser.conftest import ROOT, patient


@pytest.fixture
def address(world):
    """`address("viewer", "Vera")`: what the command line prints."""

    def make(role: str, name: str) -> str:
        command = [sys.executable, "-m", "app", "token", role, "--name", name, "--address"]
        made = subprocess.run(command, cwd=ROOT, env=world.environ, capture_output=True, check=True, text=True)
        return made.stdout.strip()

    return make


@pytest.fixture
def page(browser: Browser):
    """Nobody's."""
    context = patient(browser, viewport={"width": 1000, "height": 600}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def signed_in(page: Page) -> str:
    # The button is there before anybody is; its name says who.
    expect(page.get_by_role("button", name=re.compile("^You: ."))).to_be_visible()
    return page.evaluate("async () => (await (await fetch('/v1/me')).json()).name")


def test_a_code_in_the_address_signs_in_and_does_so_once(page, browser, address):
    url = address("viewer", "Vera")
    page.goto(url)
    assert signed_in(page) == "Vera"
    assert "code" not in page.url
    other = patient(browser)
    stranger = other.new_page()
    stranger.goto(url)
    expect(stranger.get_by_role("alert")).to_contain_text("used before or has expired")
    expect(stranger.get_by_label("Password")).to_be_visible()
    other.close()


@pytest.mark.parametrize("kind", ["code", "token"])
def test_an_address_asks_before_it_signs_somebody_else_in(page, world, address, kind):
    page.goto(address("support", "Anna"))
    assert signed_in(page) == "Anna"
    url = address("viewer", "Vera") if kind == "code" else f"{world.url}/#token={world.token}"
    other = "Vera" if kind == "code" else "command line"
    dialog = page.get_by_role("dialog", name="You are signed in as Anna (support)")
    for answer, who in (("Stay Anna", "Anna"), ("Sign in by the address", other)):
        page.goto("about:blank")
        page.goto(url)
        expect(dialog).to_be_visible()
        assert page.evaluate("async () => (await (await fetch('/v1/me')).json()).name") == "Anna"
        assert not re.search("code|token", page.url)
        dialog.get_by_role("button", name=answer).click()
        expect(dialog).to_be_hidden()
        assert signed_in(page) == who
    page.reload()
    assert signed_in(page) == other


def test_an_address_with_the_token_of_who_is_signed_in_asks_nothing(page, world):
    for _ in range(2):
        page.goto("about:blank")
        page.goto(f"{world.url}/#token={world.token}")
        assert signed_in(page) == "command line"
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_person_is_invited_sets_a_password_and_signs_in_with_it_and_a_second_factor(page, world):
    invited = world.client.post("/v1/users", json={"name": "Nina", "role": "support"}).json()
    page.goto(invited["address"])
    expect(page.get_by_role("heading", name="Welcome, Nina. Set a password to go on.")).to_be_visible()
    page.get_by_label("New password").fill("eight ponds, and no river")
    page.get_by_role("button", name="Save password").click()
    assert signed_in(page) == "Nina"

    def sign_in():
        page.get_by_role("button", name="You: Nina").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Name", exact=True).fill("nina")
        page.get_by_label("Password").fill("eight ponds, and no river")
        page.get_by_role("button", name="Sign in").click()

    sign_in()
    assert signed_in(page) == "Nina"
    page.get_by_role("button", name="You: Nina").click()
    page.get_by_role("button", name="Your account").click()
    account = page.get_by_role("dialog", name="Your account: Nina")
    expect(account.get_by_text("this one")).to_be_visible()
    account.get_by_role("button", name="Set up").click()
    shown = account.get_by_text(re.compile("By hand: "))
    app = pyotp.TOTP(shown.inner_text().rpartition(" ")[2])
    # The present code, then the next one: a code is used once, and good before and after its own half minute.
    account.get_by_label("Code of the second factor").fill(app.now())
    account.get_by_role("button", name="Confirm").click()
    expect(account.get_by_role("listitem").filter(has_text=re.compile("^[0-9a-f-]{19}$"))).to_have_count(10)
    account.get_by_role("button", name="Close").click()
    sign_in()
    page.get_by_label("Code of the second factor").fill(app.at(time.time() + 30))
    page.get_by_role("button", name="Sign in").click()
    assert signed_in(page) == "Nina"
