"""The names and the ssh commands of deploy keys."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import deploy_key
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import deploy_keys


def test_the_command_uses_only_the_projects_key_and_is_recognized() -> None:
    key = deploy_key.key_file(Path("/home/the deploy"), "blog")
    command = deploy_key.ssh_command("ssh -v", key)
    assert command == "ssh -v -i '/home/the deploy/.ssh/deploy_blog' -o IdentitiesOnly=yes"
    assert deploy_key.uses_key(command, key)
    assert not deploy_key.uses_key(command, key.with_name("deploy_shop"))
    assert not deploy_key.uses_key("ssh", key)


def test_a_key_without_its_other_half_is_none(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert deploy_keys.public_half(key) == ""
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA blog@web1\n")
    assert deploy_keys.public_half(key) == ""
    key.write_text("private")
    assert deploy_keys.public_half(key) == "ssh-ed25519 AAAA blog@web1"


def test_the_comment_has_no_blank() -> None:
    assert deploy_keys.comment("my blog").startswith("my_blog@")
