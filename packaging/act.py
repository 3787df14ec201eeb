"""act.py ACTION SCRATCH [VERSION]: runs the steps of a composite action as GitHub's runner would, with releases from a folder."""

import pathlib
import re
import subprocess
import sys

import yaml

action = yaml.safe_load(open(sys.argv[1]))
scratch = pathlib.Path(sys.argv[2])
given = {"version": sys.argv[3] if len(sys.argv) > 3 else "", "config": "config.toml"}
inputs = {name: given.get(name) or about["default"] for name, about in action["inputs"].items()}
context = {
    "github.action_ref": "v0.0.0",
    "github.action_repository": "owner/postrider",
    "github.repository": "owner/blog",
    "github.server_url": f"file://{scratch}/server",
    "runner.temp": str(scratch / "temporary"),
} | {f"inputs.{name}": value for name, value in inputs.items()}


def put_in(text):
    def value(found):
        return next((context[name.strip()] for name in found[1].split("||") if context[name.strip()]), "")

    return re.sub(r"\$\{\{(.*?)\}\}", value, text)


path_file = scratch / "path"
for _ in range(2):
    path_file.write_text("")
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash", step
        environment = {name: put_in(text) for name, text in step.get("env", {}).items()}
        environment |= {"PATH": ":".join(path_file.read_text().split() + ["/usr/bin", "/bin"]), "GITHUB_PATH": str(path_file)}
        folder = scratch / "checkout" / put_in(step.get("working-directory", "."))
        print(f"# {step['name']}", flush=True)
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], env=environment, cwd=folder)
        if done.returncode:
            sys.exit(done.returncode)
