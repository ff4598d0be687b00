"""What Magistrala answers with 500 though the caller is wrong is counted as the caller's."""

from __future__ import annotations

import re
from pathlib import Path

from tests.service.members import stranger
from tests.service.running import embedded


async def test_a_stranger_raises_no_alert(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:
        client = (await running.map()).json()["bootstrap"]["config_id"]
        outsider = await stranger(running)
        at = f"/{running.domain}"
        calls = [
            ("POST", f"{at}/certs/issue/{client}", {"options": {"common_name": "x"}}),
            ("POST", f"{at}/certs/csrs/{client}", {"csr": ""}),
            ("GET", f"{at}/certs", None),
            ("GET", f"{at}/certs/00:01", None),
            ("PATCH", f"{at}/certs/00:01/revoke", None),
            ("PATCH", f"{at}/certs/00:01/renew", None),
            ("DELETE", f"{at}/certs/{client}/delete", None),
            ("POST", "/users/tokens/refresh", {}),
            ("POST", f"{at}/cert", {"client_id": client}),
            ("GET", f"{at}/cert?client_id={client}", None),
            ("GET", f"{at}/cert/00:01", None),
            ("POST", f"{at}/cert/00:01/revoke", None),
            ("GET", "/nowhere/certs", None),
        ]
        answered = {}
        for method, path, body in calls:
            answer = await outsider.ask(method, path, **({} if body is None else {"json": body}))
            answered[method, path] = answer.status_code

        assert answered["POST", "/users/tokens/refresh"] == 500
        assert answered["GET", f"{at}/certs"] == 500
        assert {status for (_, path), status in answered.items() if "/certs" not in path} <= {
            403,
            500,
        }
        metrics = (await running.http.get("/metrics")).text
        counted = re.findall(r'provision_http_requests_total\{[^}]*status="(\d+)"', metrics)
        assert counted
        assert [status for status in counted if status.startswith("5")] == []
