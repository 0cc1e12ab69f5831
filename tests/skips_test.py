#!/usr/bin/env python3
"""Shows that skips.py finds a skip that nobody expects, and a name that is no test."""
import pathlib
import tempfile

import skips

RESULTS = """<?xml version="1.0"?><testsuite name="x" tests="3">
<testcase name="A.Runs" status="run"/>
<testcase name="A.IsSkipped" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>
<testcase name="A.IsDisabled" status="disabled"/></testsuite>"""

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "results.xml"
    path.write_text(RESULTS)
    found = skips.read_results(path)
assert found == {"A.Runs": False, "A.IsSkipped": True, "A.IsDisabled": True}, found
every = ["A.IsSkipped", "A.IsDisabled"]
assert not list(skips.faults_of(found, every, shared=False))
with_shared = list(skips.faults_of(found, every, shared=True))
assert len(with_shared) == 2 and "A.IsDisabled" in with_shared[0] and "A.IsSkipped" in with_shared[1], with_shared
unexpected = list(skips.faults_of(found, ["A.IsDisabled"], shared=False))
assert len(unexpected) == 1 and "A.IsSkipped: skipped (expected it to run)" in unexpected[0], unexpected
stale = list(skips.faults_of(found, every + ["A.IsGone"], shared=False))
assert len(stale) == 1 and "A.IsGone" in stale[0], stale
