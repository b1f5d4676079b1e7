"""Kills workers of examples/go/jobs, and the program itself: what is found stays the same.

    jobs.py PROGRAM DATA    in a folder of its own
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

PROGRAM, DATA = sys.argv[1:]
# Only so that what hangs comes to an end.
SECONDS = 3600


def run(log, seen=lambda pid, code: None, more=()):
    """What it prints; `seen` is told which process begins with which architecture, and gives one to kill. Its own death is no output."""
    job = subprocess.Popen([PROGRAM, *more, "-log", log, DATA], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        for line in job.stderr:
            said.append(line)
            begins = re.fullmatch(r"worker (\d+) trains (\S+)\n", line)
            victim = begins and seen(int(begins[1]), begins[2])
            if victim:
                os.kill(victim if victim > 0 else job.pid, signal.SIGKILL)
        out, _ = job.communicate(timeout=SECONDS)
    finally:
        job.kill()
    return job.returncode, out, "".join(said)


def lines(log):
    with open(log) as file:
        return [json.loads(line) for line in file]


code, undisturbed, said = run("undisturbed.log")
assert code == 0 and '"members":[{' in undisturbed and "lost" not in said, (code, undisturbed, said)
codes = [line["code"] for line in lines("undisturbed.log")]
assert len(codes) == len(set(codes)) >= 16, codes

# Workers are killed as they begin with the second, fifth and eighth architecture: others train them.
begun = []


def unlucky(pid, code):
    begun.append(code)
    return pid if len(begun) in (2, 5, 8) else None


code, out, said = run("killed.log", unlucky)
assert code == 0 and out == undisturbed and said.count("is lost: ") == 3, (code, out, said)

# The program itself is killed, with a line half written. Its workers end with it, and what was trained is not trained again.
for _ in range(2):
    begun.clear()
    code, out, said = run("resumed.log", lambda pid, code: begun.append(code) or (-1 if len(begun) == 7 else None))
    assert code == -signal.SIGKILL, (code, out, said)
kept = {line["code"] for line in lines("resumed.log")}
with open("resumed.log", "a") as file:
    file.write('{"code": "n1f')
again = []
code, out, said = run("resumed.log", lambda pid, code: again.append(code))
assert code == 0 and out == undisturbed and len(kept) >= 8 and not kept & set(again), (code, out, said, kept, again)
assert sorted(line["code"] for line in lines("resumed.log")) == sorted(codes)

# One that takes every worker with it has failed, and the others go on.
code, out, said = run("cursed.log", lambda pid, code: pid if code == codes[3] else None)
cursed = [line["code"] for line in lines("cursed.log") if line.get("failed")]
assert code == 0 and cursed == [codes[3]] and said.count("is lost: ") == 3, (code, out, said)

# A worker that hangs is as good as dead. Where the machine is so slow that others take longer than the limit too, it was none.
def hang(pid, code):
    if not hung:
        hung.append(pid)
        os.kill(pid, signal.SIGSTOP)


for limit in ("8s", "80s", "800s"):
    hung = []
    code, out, said = run(f"hung{limit}.log", hang, ("-limit", limit))
    if said.count("is lost: ") == 1:
        break
assert code == 0 and out == undisturbed and f"worker {hung[0]} is lost: " in said, (code, out, said)

# An error ends all, also what hangs: one worker stops, and when the other is killed there is no program any more to start a new one from.
def ruin(pid, code):
    stopped.append(pid)
    if len(stopped) == 1:
        os.kill(pid, signal.SIGSTOP)
        return None
    os.unlink("doomed")
    return pid


whole, stopped = PROGRAM, []
shutil.copy(PROGRAM, "doomed")
PROGRAM = "./doomed"
code, out, said = run("doomed.log", ruin)
assert code == 1 and "doomed" in said and len(stopped) == 2, (code, out, said)
PROGRAM = whole

# Without images no worker starts.
DATA = "/nowhere"
code, out, said = run("nothing.log")
assert code == 1 and "/nowhere" in said and "did not start" in said and not lines("nothing.log"), (code, out, said)
print("jobs: whoever is killed, the front is the same")
