"""`%carbon region` in real kernels: where the kernel is, own figures, what completion offers."""

from __future__ import annotations

from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, Outcome


def text(outcome: Outcome) -> str:
    """What a cell printed or displayed, with plain blanks and in one line."""
    shown = "".join(item["data"]["text/plain"] for item in outcome.of("display_data"))
    return " ".join((outcome.text("stdout") + shown).replace("\u00a0", " ").split())


def loaded(start: Start, **environ: str) -> Kernel:
    kernel = start(environ=environ)
    kernel.run(LOAD, allow_error=False)
    return kernel


def completions(kernel: Kernel, code: str) -> list[str]:
    content = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
    return [code[: content["cursor_start"]] + match for match in content["matches"]]


def test_a_time_zone_is_a_place_until_somebody_says_another(start: Start) -> None:
    kernel = loaded(start, TZ="Europe/Paris", AWS_REGION="us-east-1")
    kernel.run("%%carbon -q -o r\nx = 1", allow_error=False)
    assert kernel.ask("(r.region, r.region_source)") == "('FR', 'timezone')"
    shown = text(kernel.run("%carbon region", allow_error=False))
    assert "France, 41 g CO2e/kWh" in shown
    assert "from the time zone Europe/Paris, assumed" in shown
    assert "from the time zone Europe/Paris, assumed" in text(kernel.run("%carbon", allow_error=False))
    assert "set by you" in text(kernel.run("%carbon region DE", allow_error=False))
    assert "Cote d'Ivoire, " in text(kernel.run("%carbon region Côte d'Ivoire", allow_error=False))
    assert "Europe/Paris" in text(kernel.run("%carbon region auto", allow_error=False))


def test_utc_is_unknown_and_looks_so(start: Start) -> None:
    kernel = loaded(start, TZ="UTC")
    for command in ("%carbon region", "%carbon", "%carbon doctor"):
        shown = text(kernel.run(command, allow_error=False))
        assert "Region unknown (time zone UTC)" in shown, command


def test_own_figures(start: Start) -> None:
    kernel = loaded(start)
    line = '%carbon region --intensity 24 "our solar roof" --pue 1.2 --note "100 % wind certificates"'
    shown = text(kernel.run(line, allow_error=False))
    assert "24 g CO2e/kWh (our solar roof), PUE 1.20, set by you." in shown
    assert "Noted, not subtracted: 100 % wind certificates." in shown
    result = text(kernel.run("%%carbon -o r\nsum(range(10**6))", allow_error=False))
    assert "Own figure, 24 g CO2e/kWh (our solar roof)" in result
    assert kernel.ask("(r.region, r.region_source, r.intensity_source)") == "('own', 'user', 'our solar roof')"
    assert "Noted, not subtracted" in text(kernel.run("%carbon", allow_error=False))
    assert "60 % wind" in text(kernel.run("%carbon region --mix wind=0.6,gas=0.4", allow_error=False))
    refused = kernel.run("%carbon region --mix wnid=1")
    assert (refused.status, refused.content["ename"]) == ("error", "UsageError")
    assert "wind" in refused.content["evalue"]
    assert "60 % wind" in text(kernel.run("%carbon region", allow_error=False)), "the one before stays"
    assert "%carbon region --mix" in completions(kernel, "%carbon region --m")
    assert "%carbon region auto" in completions(kernel, "%carbon region au")
    assert "%carbon region --mix wind=" in completions(kernel, "%carbon region --mix wi")


def test_a_broken_file_of_own_data_never_breaks_the_kernel(start: Start) -> None:
    kernel = loaded(start, TZ="UTC", CARBON_MAGIC_DATA="/nonexistent/own.csv", CARBON_MAGIC_REGION="FR")
    assert "France" in text(kernel.run("%carbon region", allow_error=False))
    assert "CARBON_MAGIC_DATA" in text(kernel.run("%carbon doctor", allow_error=False))
    refused = kernel.run("%carbon region DE")
    assert refused.content["ename"] == "UsageError"
    assert "No such file" in refused.content["evalue"]
