#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: releases
short_description: Make a commit of a project live, verify that it serves, and revert it
version_added: 0.1.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Makes a commit of a git repository the live release of a project on this server, in one process that holds a lock
    from start to end.
  - Every release is a directory of its own, built completely before anything live changes. The symlink C(current) is
    replaced by a rename.
  - When the project is served by C(procmon), the module asks it to reload by touching O(restart_file), and ends when
    C(procmon) reports that exactly this release serves. Any failure after the switch restores the previous release.
  - The log C(.deploys) has one short commit per line, as the original deploy script writes it; both can take turns on
    one project.
options:
  name:
    description: The name of the project, for messages, the hooks and the journal.
    type: str
    required: true
  path:
    description: The directory of the project on the server. Absolute.
    type: path
    required: true
  state:
    description:
      - With V(present) the directories and the clone are created, or taken over from the original deploy script.
        Nothing live is moved.
      - With V(prepared) the release is built completely, with its Python environment. Nothing live changes.
      - With V(deployed) the release is prepared if it is not yet, and made live.
      - With V(reverted) a release of the log is made live again, by O(steps) or O(to), without asking the remote.
    type: str
    choices: [present, prepared, deployed, reverted]
    default: deployed
  repo:
    description:
      - The address of the git repository.
      - Needed until there is a clone. Another address than the clone's replaces it.
    type: str
  ref:
    description:
      - What to deploy, a branch (V(master) and V(origin/master) both mean the remote's), a tag, or a sha, full or
        short.
      - Without it the newest tag is deployed, by the date of its creation.
      - A name that is both a branch and a tag is refused; say V(refs/heads/name) or V(refs/tags/name) then.
    type: str
  commit:
    description:
      - The full sha that O(ref) was found to mean earlier, as returned in RV(commit) by a run with O(state=prepared).
      - O(ref) is then only recorded, and nothing is fetched when the commit is there.
    type: str
  strategy:
    description:
      - With V(releases) every release is a directory of its own.
      - With V(in_place) the clone itself is reset to the commit, as the original deploy script does. Shared paths
        are then not linked, and O(pre_deploy) runs in the old code. O(post_deploy) has to update submodules.
    type: str
    choices: [releases, in_place]
    default: releases
  keep:
    description: How many releases stay on disk. The live and the previous one always do; older ones are rebuilt
      when they are needed.
    type: int
    default: 5
  shared_paths:
    description:
      - Paths in the repository that outlive releases. Each becomes a link to the same path below C(shared).
      - What is neither there nor in the repository is created as a directory when the entry ends in C(/) or its last
        part has no dot. Otherwise it is a file, such as V(db.sqlite3), and the deploy fails until it has been created.
    type: list
    elements: str
    default: [public/system]
  pre_deploy:
    description:
      - A shell command that runs in the new release before the switch. When it fails nothing changes.
      - All hooks run as the user who deploys, with the release's own C(.venv/bin) and the system's directories as
        C(PATH), with the variables of O(env) or O(env_file), and with C(SHARED), C(DEPLOY_PROJECT), C(DEPLOY_COMMIT),
        C(DEPLOY_PREVIOUS), C(DEPLOY_REF), C(DEPLOY_PATH) and C(DEPLOY_RELEASE) in the environment. Their output goes
        to C(shared/logs/deploy.log).
      - A hook of several lines stops at the first line that fails, as in CI systems. In a single line, C(&&) does that.
    type: str
  post_deploy:
    description:
      - A shell command that runs in the new release after the switch. When it touches O(restart_file), that touch is
        the one that C(procmon) answers.
      - When it was started and the previous release is restored, it runs there again, so that what it restarts, such as
        a worker of the app's own, runs the restored code.
    type: str
  test:
    description: A shell command that runs last in the new release. When it fails the previous release is restored.
    type: str
  config:
    description:
      - The settings of C(procmon) that go live with the release, by the keys of its own file, such as C(app), C(bind),
        C(workers) and the sections C(heartbeat), C(reload), C(worker) and C(uvicorn).
      - They are written to C(procmon.toml) below O(path), and are switched and restored with the release. When only
        they differ from what is live, that is a deploy as well.
      - What C(procmon) listens on can be changed by setup only. It stays as it is, with a warning.
      - Without O(config) and O(env) the live configuration stays.
    type: dict
  env:
    description:
      - The app's variables, for its workers and for the hooks, a mapping of names to texts, or a text with one
        C(KEY=value) per line, in the syntax of C(procmon).
      - They are written to C(procmon.env) below O(path), which only the user can read, and go live with O(config).
      - Of what has changed only the names are shown and logged.
    type: raw
  env_file:
    description:
      - A file on the server with variables of the app that hooks get as well, as the workers of C(procmon) do. One
        C(KEY=value) per line, in the syntax of C(procmon).
    type: path
  writable_paths:
    description: The paths that the app may write to outside of O(path). Only setup can change them. Where the unit of
      C(procmon) has others, the run warns.
    type: list
    elements: str
  restart_file:
    description: The file whose touch asks C(procmon) to reload, relative to C(current) or absolute.
    type: str
    default: public/system/restart
  status_file:
    description:
      - The file in which C(procmon) answers.
      - Without it the project has no C(procmon), nothing is touched, and the module waits for no answer.
    type: path
  reload_timeout:
    description:
      - How many seconds C(procmon) may take to answer.
      - By default 120, or longer where C(procmon) reports that by its configuration a reload may take longer.
    type: float
  hook_timeout:
    description: How many seconds each hook may take. One that takes longer is killed with all that it has started,
      and has failed.
    type: float
    default: 3600
  python:
    description: The interpreter for Python environments, a path or a name.
    type: str
    default: python3
  uv:
    description: The C(uv) program for Python environments. Without it one on the C(PATH) is used, or C(pip).
    type: path
  index:
    description:
      - Where the packages of Python environments come from, the address of an index, or an absolute path on the server
        of a directory of wheels.
      - No index that C(pip.conf), C(uv.toml) and the variables C(PIP_*) and C(UV_*) on the server name is asked then,
        and with a directory none that the release names. Of a C(uv.lock) the versions and hashes count then, and not
        the addresses.
      - An address may hold a user and a password. A new password builds no new environment.
    type: str
  ssh_command:
    description:
      - With O(state=present) the ssh command that the clone uses, now and in later deploys, such as one with a key of
        its own. An empty text removes one that was set before.
      - A variable C(GIT_SSH_COMMAND) of the user who deploys comes first.
    type: str
  force:
    description: Deploy although the commit is already live.
    type: bool
    default: false
  steps:
    description:
      - How many lines of the log O(state=reverted) goes back from the live one.
      - A revert is itself a line, so reverting twice goes there and back. Neighbouring lines with one commit count as
        one.
    type: int
    default: 1
  to:
    description: The commit of the log that O(state=reverted) goes back to, instead of O(steps); at least 4 characters,
      and as many as tell it from the others.
    type: str
  by:
    description: Who deploys, for the lock and the journal. By default the user who runs this.
    type: str
  lock_wait:
    description: How many seconds to wait for another run on this project to end. By default the module fails at once
      and names the holder.
    type: float
    default: 0
  progress:
    description:
      - A name for this run, which the caller chooses. With it the run writes what it does to C(.deploy.progress) below
        O(path) as it goes on, one JSON object per line with this name as C(run).
      - The file can be read by the user who deploys only, and is replaced by the next such run. That it cannot be
        written does not fail the run.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
    description: Returns which commits would go live and changes nothing in the project; what has to be fetched for
      that is discarded.
  diff_mode:
    support: full
    description: Shows the commits that go live, those that are live no longer, and the settings that change; of the
      variables only the names.
  idempotent:
    support: partial
    details: A commit that is live is not deployed again, unless O(force=true). With O(state=reverted) and O(steps)
      every run goes back.
    description: When run twice in a row with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: Target systems that are supported. C(procmon) needs Linux.
requirements:
  - git 2.30 or newer
  - Python 3.9 or newer
seealso:
  - module: onetouch.deploy.releases_info
"""

EXAMPLES = r"""
- name: Make the directories and the clone
  onetouch.deploy.releases:
    name: blog
    path: /var/www/blog
    repo: git@example.com:me/blog.git
    state: present

- name: Deploy the remote's master and wait until it serves
  onetouch.deploy.releases:
    name: blog
    path: /var/www/blog
    repo: git@example.com:me/blog.git
    ref: origin/master
    post_deploy: ./bin/deploy
    status_file: /run/procmon/blog/status.json

- name: Deploy with the settings of its process monitor and the app's variables
  onetouch.deploy.releases:
    name: blog
    path: /var/www/blog
    repo: git@example.com:me/blog.git
    ref: origin/master
    status_file: /run/procmon/blog/status.json
    config:
      app: blog.main:app
      bind: 127.0.0.1:3001
      workers: 4
    env:
      DATABASE_URL: "{{ database_url }}"

- name: Take back the last three deploys
  onetouch.deploy.releases:
    name: blog
    path: /var/www/blog
    state: reverted
    steps: 3
    status_file: /run/procmon/blog/status.json

- name: Go back to a commit that was live before
  onetouch.deploy.releases:
    name: blog
    path: /var/www/blog
    state: reverted
    to: 1f0c9a2
"""

RETURN = r"""
commit:
  description: The full sha of the release that was prepared or made live, or was already live.
  returned: when a commit was found
  type: str
  sample: 1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708
previous_commit:
  description: The full sha that was live before. Null when nothing was.
  returned: always
  type: str
  sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
release:
  description: The directory of the release.
  returned: when a commit was found
  type: str
  sample: /var/www/blog/releases/1f0c9a2be6f3
subject:
  description: The first line of the message of RV(commit).
  returned: where a commit was found
  type: str
  sample: Greet in French
commits:
  description: The commits that went live, or would, newest first; at most 100.
  returned: always
  type: list
  elements: dict
  contains:
    sha:
      description: The full sha.
      type: str
    subject:
      description: The first line of the message.
      type: str
  sample:
    - sha: 1f0c9a2be6f3d0a4c5b8e7d6f1a2b3c4d5e6f708
      subject: Greet in French
commit_count:
  description: How many new commits went live, or would; 0 where the release goes back. RV(commits) lists at most
    100 of them.
  returned: always
  type: int
  sample: 130
settings:
  description: The names of the settings that changed, or would, variables as C(env.NAME). Never their values.
  returned: always
  type: list
  elements: str
  sample: [workers, env.DATABASE_URL]
phases:
  description: What was done, how many seconds each took, and as C(note) what is worth knowing of some.
  returned: always
  type: list
  elements: dict
  sample:
    - name: fetch
      seconds: 0.41
    - name: reload
      seconds: 0.62
dropped:
  description: The commits that are live no longer, or would be, newest first; at most 100.
  returned: always
  type: list
  elements: dict
  contains:
    sha:
      description: The full sha.
      type: str
    subject:
      description: The first line of the message.
      type: str
  sample: []
dropped_count:
  description: How many commits are live no longer, or would be. RV(dropped) lists at most 100 of them.
  returned: always
  type: int
  sample: 0
ref_problem:
  description: Why a deploy would find no commit with O(ref), and what to do.
  returned: with O(state=present), where it would find none
  type: str
  sample: no ref was given and the repository has no tag. Set ref, such as origin/main, or tag a commit and push the tag
output:
  description: The end of what each hook wrote.
  returned: with O(progress), when a hook wrote something
  type: list
  elements: dict
  contains:
    name:
      description: The hook.
      type: str
    text:
      description: The end of its output.
      type: str
    characters:
      description: How many characters it wrote in all.
      type: int
environment:
  description: The Python environment of the release. Null when it has none.
  returned: always
  type: str
  sample: /var/www/blog/envs/5d41402abc4b
outcome:
  description:
    - V(unchanged), V(prepared) or V(live) when all went well.
    - V(failed) when nothing was changed, V(put_back) when the previous release is live again, V(broken) when that
      failed too.
  returned: always
  type: str
  sample: live
msg:
  description: One sentence on how it ended. After a failure the first line says what failed and what is live now.
  returned: always
  type: str
  sample: "blog: 1f0c9a2be6f3 is live (1 commit)"
diff:
  description: The commits of RV(commits), those that are live no longer, and the settings that change, as C(--diff)
    shows them.
  returned: success
  type: dict
  contains:
    prepared:
      description: One commit or setting per line, after C(-) or C(+), and the name of a variable after C(~).
      type: str
  sample:
    prepared: "+ 1f0c9a2be6f3 Greet in French\n"
reason:
  description: What failed, and what to do, without the other parts of RV(msg).
  returned: on failure
  type: str
  sample: "post_deploy failed (exit 1): ./bin/deploy"
now:
  description: What is live after a failure of the activation.
  returned: on failure
  type: str
  sample: 0a1b2c3d4e5f was restored and is live
traceback_tail:
  description: The end of what the failing worker or hook wrote.
  returned: on failure
  type: str
  sample: "ModuleNotFoundError: No module named 'flask'"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import options, states
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.project import Project
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.report import Report
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import secrets_of


def run(module: AnsibleModule, report: Report) -> None:
    """Do what the arguments ask for; the report has how far it came."""
    project = Project(options.read(module.params), report=report)
    report.progress.run = project.options.progress
    states.execute(project, check=module.check_mode)


def failure_text(name: str, error: ReleaseError) -> str:
    """Return what failed and what is live now, then the tail of the output with the reason."""
    return "\n".join(filter(None, (f"{name}: {error}", error.detail)))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible has no types
        argument_spec=options.argument_spec(), supports_check_mode=True
    )
    # Nothing that this module returns, an unforeseen traceback included, has a secret of the address.
    module.no_log_values.update(secrets_of(module.params["repo"] or ""))
    report, failure = Report(), None
    try:
        run(module, report)
    except ReleaseError as error:
        failure = error
    for warning in report.warnings:
        module.warn(warning)
    if failure:
        facts = {**report.facts(), "msg": failure_text(module.params["name"], failure)}
        module.fail_json(**facts, reason=failure.reason, now=failure.now, traceback_tail=failure.detail)
    module.exit_json(**report.facts(), diff=report.diff())


if __name__ == "__main__":
    main()
