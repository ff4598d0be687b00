"""What the console shows of layouts. No browser is needed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tests.console.visiting import operator, visiting
from tests.service.running import ROOT, embedded


async def test_a_refused_edit_is_marked_at_its_line(tmp_path: Path) -> None:
    layouts = tmp_path / "layouts"
    shutil.copytree(ROOT / "layouts", layouts)
    (layouts / "never.toml").write_text("[layout]\nnaem = '<script>'\n")
    data = tmp_path / "data"
    async with (
        embedded(data, MG_PROVISION_LAYOUTS=str(layouts)) as running,
        visiting(running) as visitor,
    ):
        await visitor.sign_in(**operator(data))
        file = layouts / "gateway.toml"
        lines = file.read_text().split("\n")
        file.write_text("\n".join(lines).replace("bootstrap = true", "botstrap = true"))
        number = lines.index("bootstrap = true") + 1
        for _ in range(60):
            page = (await visitor.open("/console/layouts")).text
            if "edit refused" in page:
                break
            await asyncio.sleep(0.1)
        assert "edit refused, the last good version serves" in page
        assert "refused, nothing serves" in page
        shown = (await visitor.open("/console/layouts/gateway")).text
        assert f'<li id="file1-{number}" class="marked error"><code>botstrap = true</code>' in shown
        assert f'href="#file1-{number}"' in shown
        assert "did you mean “bootstrap”?" in shown
        assert "unknown-key" in shown
        assert "the last good version" in shown
        broken = (await visitor.open("/console/layouts/never")).text
        assert "naem = &#39;&lt;script&gt;&#39;" in broken
        assert "What it makes" not in broken
        # What never served can't be chosen, what served before can.
        form = (await visitor.open("/console/onboard?layout=never")).text
        assert '<option value="gateway" selected>' in form
        assert '<option value="never"' not in form
        lost = await visitor.open("/console/layouts/gatewya")
        assert lost.status_code == 404
        assert "did you mean" in lost.text
