"""Writing a profile in a browser, beside its preview."""

from __future__ import annotations

import pytest

from tests.console.browsing import Console

pytestmark = pytest.mark.slow


def test_a_profile_from_its_first_line_to_its_removal(console: Console) -> None:
    page = console.page
    console.served.map("gw-1")
    console.open("/console/profiles/new")
    console.says("sample-gateway")
    console.is_accessible("profile-new")
    page.get_by_label("Name", exact=True).first.fill("Pump")
    template = page.get_by_label("Go text/template")
    template.fill('{\n  "pump": {{ .Vars.pump }}\n')
    # No button is pressed: the preview follows what is written.
    page.locator("#preview .error").first.wait_for()
    console.is_accessible("profile-wrong")
    template.fill('{\n  "pump": {{ toJSON .Device.ExternalID }}, "size": {{ .Vars.size }}\n}')
    page.get_by_label("By default").fill('{"size": 5}')
    page.locator("#preview pre", has_text='"size": 5').wait_for()
    page.get_by_label("With the data of").select_option(index=1)
    page.locator("#preview pre", has_text="gw-1").wait_for()
    console.is_accessible("profile-editor")
    console.press("Make the profile")
    console.says("Pump was made.")
    console.is_accessible("profile")
    console.follow("Edit")
    page.get_by_label("Go text/template").fill('{"pump": 2}')
    console.press("Save as a new version")
    console.says("Saved as version 2.")
    console.follow("Versions")
    console.is_accessible("profile-versions")
    console.follow("Compare version 1")
    page.locator("ins", has_text='{"pump": 2}').wait_for()
    console.is_accessible("profile-version")
    console.press("Save it again as a new version")
    console.says("Version 1 was saved again, as version 3.")
    console.follow("Delete")
    console.is_accessible("profile-delete")
    console.press("Delete")
    console.says("The profile was deleted.")
    console.is_accessible("profiles")
    console.follow("Upload")
    console.is_accessible("profile-upload")
