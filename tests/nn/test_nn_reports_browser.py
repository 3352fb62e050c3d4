"""The report of a training in a real browser. Skipped where there is none."""

import pytest
from browser import chromium
from test_nn_reports import fitted, model

from graphnet.nn.callbacks import HTMLReport
from graphnet.viz.report import Report

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("dark", [False, True])
def test_the_report_opens_from_a_file_with_its_looks_and_without_complaints(dark, tmp_path):
    fitted(model(), HTMLReport(tmp_path / "run.html"), epochs=3)
    with chromium(dark) as browser:
        browser.get_log("browser")
        browser.get((tmp_path / "run.html").as_uri())
        script = browser.execute_script
        assert not [e for e in browser.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
        assert (
            script("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
            == 0
        )
        stroke = script("return getComputedStyle(document.querySelector('.graphnet-chart .line.c0')).stroke")
        assert stroke == ("rgb(122, 184, 255)" if dark else "rgb(43, 108, 176)")
        picture = script("const i = document.querySelector('.graph img'); return [i.complete, i.naturalWidth]")
        assert picture[0] and picture[1] > 100
        assert script("return document.documentElement.scrollWidth <= innerWidth")
        inside = script(
            "return [...document.querySelectorAll('.graphnet-chart[role=img]')].every(s => "
            "[...s.querySelectorAll('text')].every(t => {const a = t.getBBox(), v = s.viewBox.baseVal; "
            "return a.x >= -1 && a.x + a.width <= v.width + 1}))"
        )
        assert inside, "no text is cut off"


def test_a_report_that_is_running_loads_itself_again(tmp_path):
    import time

    report = Report("t", "before", running=True, refresh=1)
    target = tmp_path / "run.html"
    target.write_text(report.html(), "utf-8")
    with chromium() as browser:
        browser.get(target.as_uri())
        state = "return document.querySelector('.state').textContent"
        assert browser.execute_script(state) == "before"
        report.state, report.running = "after", False
        target.write_text(report.html(), "utf-8")
        for _ in range(80):
            if browser.execute_script(state) == "after":
                break
            time.sleep(0.1)
        else:
            pytest.fail("the page was not loaded again")
