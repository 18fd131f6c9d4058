# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a play are asked together."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.onetouch.deploy.plugins.plugin_utils._same_login import alike

HOSTS = ("blog@a", "blog@b", "shop@a", "shop@b")


def variables(**of_the_last: object) -> dict[str, dict[str, object]]:
    """Return the variables of HOSTS, of two servers; those given are set for the last host too."""
    found: dict[str, dict[str, object]] = {host: {"ansible_host": host[-1], "project_name": host} for host in HOSTS}
    found[HOSTS[-1]] |= of_the_last
    return found


def test_projects_on_one_server_are_alike() -> None:
    found = variables()
    assert [*alike("blog@b", HOSTS, found)] == [*alike("shop@b", HOSTS, found)] == ["blog@b", "shop@b"]


@pytest.mark.parametrize("name", ["ansible_user", "ansible_port", "ansible_python_interpreter", "ansible_become"])
def test_whatever_differs_in_how_it_is_reached_separates(name: str) -> None:
    found = variables(**{name: "other"})
    assert [*alike("blog@b", HOSTS, found)] == ["blog@b"]
    assert [*alike("shop@b", HOSTS, found)] == ["shop@b"]


def test_hosts_without_an_address_are_reached_by_their_names() -> None:
    assert [*alike("blog@a", HOSTS, {host: {} for host in HOSTS})] == ["blog@a"]


class Unknown(dict[str, object]):
    """Variables of which none can be evaluated."""

    def __getitem__(self, name: str) -> object:
        raise AnsibleError(f"{name} is undefined")


def test_a_host_whose_variables_cannot_be_evaluated_is_like_no_other() -> None:
    found = {**variables(), "blog@b": Unknown(ansible_host="b"), "shop@a": Unknown(ansible_host="a")}
    assert [[*alike(host, HOSTS, found)] for host in HOSTS] == [[host] for host in HOSTS]
