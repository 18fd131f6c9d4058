# make setup      .venv with everything below, and the checkout linked where Ansible finds it
# make demo       deploy, break and revert a service on this machine, without a server
# make quick      format, style, words, types and the pure tests (tests/unit): for after each change, in half a minute
# make tests T=tests/unit/releases    the tests in one file or folder, or with pytest's own arguments: T='tests/unit -k revert'
# make lint       all checks that run no test
# make test       all checks and tests, with servers that boot systemd; installs what it needs (as root)
# make molecule   only the scenario on those servers
# make scenarios  the other scenarios of molecule/: systems, nginx, broken releases, reboots (long): S="nginx broken" for some
# make torture    kills a deploy before every single change of the disk (needs strace; long)
# make bench-reload   requests lost over 200 reloads (or upgrades, recycles, restarts) in each of four combinations, bare uvicorn beside it (long): BENCH="--help"
# make bench-boot     ways to start workers, in time and memory: BENCH="--help"
# make bench-procmon  memory, processor time, latency and throughput beside uvicorn and gunicorn (needs wrk): BENCH="--help"
# make bench-deploy   what a deploy costs, beside the original: BENCH="--original PATH --ansistrano PATH" (needs sshd; long)
# make bench-release  ways to make a release directory, in time and disk: BENCH="--folder PATH"
# make site       the site in dist/site, from docs/ and the plugins' documentation
# make sanity-newest  the check sanity with the newest ansible-core; needs Python 3.12 or newer
# make test-bare  whether a plain user can set this up on a bare Debian
# make CHECK      one of tools/checks/, such as `make types`

CHECKS := $(filter-out tests, $(notdir $(wildcard tools/checks/*)))

.PHONY: setup demo quick lint test tests test-bare sanity-newest torture scenarios bench-reload bench-procmon bench-boot bench-deploy bench-release clean $(CHECKS)

# The next step is named where setup is the goal, not where another target needs it.
setup:
	@tools/bootstrap dev
	@$(if $(filter setup,$(or $(MAKECMDGOALS),setup)),tools/bootstrap next)

demo:
	@tools/bootstrap demo
	@.venv/bin/ansible-playbook -i localhost, playbooks/demo.yml

quick: setup
	@tools/check format style words types
	@.venv/bin/python -m pytest --quiet --numprocesses 2 tests/unit

lint: setup
	@tools/check format style shell words changelog docs types yaml

test: setup
	@tools/check

# Without T the check of that name: all tests, several at once.
tests: setup
	@$(if $(T),.venv/bin/python -m pytest $(T),tools/check tests)

$(CHECKS): setup
	@tools/check $@

bench-reload bench-procmon bench-boot: setup
	@.venv/bin/python -m tests.bench.$(@:bench-%=%) $(BENCH)

bench-deploy: setup
	@.venv/bin/python -m tests.bench.deploy $(BENCH)

bench-release: setup
	@PYTHONPATH=collections .venv/bin/python -m tests.bench.deploy.ways $(BENCH)

test-bare:
	@tools/test-bare

sanity-newest: setup
	@tools/sanity-newest

scenarios: setup
	@tools/scenarios $(S)

torture: setup
	@TORTURE=all .venv/bin/python -m pytest --quiet tests/faults/releases/test_kill.py

clean:
	rm -rf .venv .ansible .coverage dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
