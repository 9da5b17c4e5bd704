"""Takes repairs out of the store, one at a time, and lets the simulation find what they were for.

python3 scripts/simulation_mutations.py --check   every mutation still fits the code
python3 scripts/simulation_mutations.py PAGE      runs them all, and writes the table of PAGE

`make mutations` runs the second form. All mutations are built into one program in a working tree of their own
(target/mutations); the environment says which of them is on. Its seeds are run in rounds, from 0 on, until a round has a
seed that breaks a promise; a mutation that few seeds find has one of its own. A mutation that the simulation does not find is
an error, unless NOT_SHOWN names the reason.
"""

import os
import pathlib
import re
import subprocess
import sys

BEGIN = "<!-- mutations: begin -->"
END = "<!-- mutations: end -->"
ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "target" / "mutations"
# First seeds and numbers of seeds that are run in turn until a seed fails.
ROUNDS = [(0, 200), (200, 1800), (2000, 8000)]

# What the program is told by the environment variable MUTATION.
SWITCH = """
/// Returns true if this mutation is on.
pub fn mutated(name: &str) -> bool {
    static ON: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var("MUTATION").unwrap_or_default()) == name
}
"""

# The repairs that are taken out, by the names of their mutations.
REPAIRS = {
    "moved": "a change in flight runs again on the new owner of its key",
    "moved-error": "a change that only the former shard made is unconfirmed",
    "held": "a master that comes back without its data is held",
    "restarted": "a followed replica that starts as a master is no master",
    "contested": "two masters of which none is proven take no writes",
    "awaits": "a master that was restarted waits for an election",
    "cut": "a read waits for a master whose connection was cut",
    "fresh": "a read waits for a replica that has the changes to be shown",
    "strict": "strict reads are proven by `WAIT` in the same message",
    "flush": "replicas that reported a flush are not read until they were probed",
    "lineage": "replicas of another history are not read",
    "no-info": "replicas are not read without `INFO`",
    "unsynced": "a replica that never had its master's data is not read",
    "again": "a change whose answer is lost is not sent again",
    "batch": "keys that a batch changes are read from the master",
    "in-flight": "a value that was fetched during a change is not cached",
    "own-change": "an own change invalidates the cached value",
    "report": "a report of a changed key invalidates the cached value",
    "readonly": "connections to a cluster's master are not in mode `READONLY`",
    "confirm": "the master confirms a miss of a cluster's replica",
    "moving": "a replica's miss does not count while the slot moves",
    "left": "a replica's miss does not count once the slot has another owner",
    "asking": "`ASKING` precedes a command that `ASK` redirected",
    "announced": "an announced master counts once it says itself that it is one",
    "epoch": "a sentinel with a lower epoch is not believed",
    "deposed": "a deposed master is not used when its successor dies",
    "absent": "a master whose announced successor cannot be reached takes no writes",
    "follows": "a demoted master leads to the one that it names as its own",
}

# The mutations that the simulation does not find, with the reasons.
NOT_SHOWN = {
    "restarted": "a living master stays all the same",
    "unsynced": "a replica of another history is not read",
    "asking": "the operation fails, and shows nothing",
    "contested": "not shown yet",
    "awaits": "not shown yet",
    "in-flight": "not shown yet",
    "readonly": "not shown yet",
    "announced": "not shown yet",
    "epoch": "not shown yet",
}

# The mutations that few seeds find, with the edition and the seed of one that is kept in tests/simulation/kept.rs and finds them.
FOUND_BY = {
    "deposed": (1, 3_001_635),
    "left": (1, 7_018_175),
    "follows": (1, 7_078_080),
    "absent": (2, 9_000_810),
}

# A file, its code, and the code in its place.
EDITS = [
    (
        "src/store/shard/election_state.rs",
        "_ if survey.absent_successor(elected).is_some() =>",
        '_ if survey.absent_successor(elected).is_some() && !crate::mutated("absent") =>',
    ),
    (
        "src/store/operation/ring_change.rs",
        "if context.cluster.is_some() { None } else { newer_map(",
        'if context.cluster.is_some() || crate::mutated("moved") { None } else { newer_map(',
    ),
    (
        "src/store/operation/ring_change.rs",
        "if access == Access::Write && may_have_run(first)",
        'if access == Access::Write && may_have_run(first) && !crate::mutated("moved-error")',
    ),
    (
        "src/store/shard/election_rules.rs",
        ".filter(|other| is_rival(other, master, is_established) || (",
        '.filter(|_| !crate::mutated("contested"))\n            .filter(|other| is_rival(other, master, is_established) || (',
    ),
    (
        "src/store/shard/election_rules.rs",
        "infos[self.node].as_ref().filter(|now| self.has_come_back(now)) else { return false };",
        'infos[self.node].as_ref().filter(|now| self.has_come_back(now) && !crate::mutated("held")) else {\n            return false;\n        };',
    ),
    (
        "src/store/shard/election_rules.rs",
        "!self.former.contains(&other.replication_id) && proves(other)",
        '(crate::mutated("deposed") || !self.former.contains(&other.replication_id)) && proves(other)',
    ),
    (
        "src/store/node/replication.rs",
        "self.restart_seen && !self.promotion_seen",
        'self.restart_seen && !self.promotion_seen && !crate::mutated("restarted")',
    ),
    (
        "src/store/node/state.rs",
        "self.is_up() && !self.awaits_election",
        'self.is_up() && (!self.awaits_election || crate::mutated("awaits"))',
    ),
    (
        "src/store/node/state.rs",
        "self.flushes != self.flushes_judged",
        'self.flushes != self.flushes_judged && !crate::mutated("flush")',
    ),
    (
        "src/store/node/state.rs",
        "            && self.lineage.is_of_shard()\n",
        '            && (self.lineage.is_of_shard() || crate::mutated("lineage"))\n',
    ),
    (
        "src/store/node/state.rs",
        "!self.is_loading() && matches!(self.role(), Some(ReplicationRole::Replica { synced: true, .. }))",
        """!self.is_loading() && match self.role() {
            Some(ReplicationRole::Replica { synced, .. }) => synced || crate::mutated("unsynced"),
            Some(ReplicationRole::Master) => false,
            None => crate::mutated("no-info"),
        }""",
    ),
    (
        "src/store/shard/selection.rs",
        "master.state().is_lost() || self.attempts.shows_loss(master)",
        'master.state().is_lost() || self.attempts.shows_loss(master) || (crate::mutated("cut") && !master.state().is_up())',
    ),
    (
        "src/store/shard/selection.rs",
        "replica.is_readable_replica() && replica.has_replicated_up_to(self.requirement.since)",
        'replica.is_readable_replica()\n&& (replica.has_replicated_up_to(self.requirement.since) || crate::mutated("fresh"))',
    ),
    (
        "src/store/node/read_call.rs",
        "        self.verify_master(role).map(|()| answer)",
        '        if crate::mutated("strict") {\n            return Ok(answer);\n        }\n        self.verify_master(role).map(|()| answer)',
    ),
    (
        "src/store/operation/write.rs",
        "Err(error) if error.did_not_run() => {",
        'Err(error) if error.did_not_run() || (crate::mutated("again") && error.did_not_answer()) => {',
    ),
    (
        "src/store/operation/batch/mod.rs",
        "let is_changed = changed.contains(operation.key.as_bytes());",
        'let is_changed = changed.contains(operation.key.as_bytes())\n            && (is_change(operation) || !crate::mutated("batch"));',
    ),
    (
        "src/near_cache/single_flight.rs",
        "if table.get(key).is_some_and(|in_flight| in_flight.id == id) {\n            insert();",
        'if crate::mutated("in-flight") || table.get(key).is_some_and(|in_flight| in_flight.id == id) {\n            insert();',
    ),
    (
        "src/cache/invalidation_guard.rs",
        "if let Some(near) = self.near {",
        'if let Some(near) = self.near.filter(|_| !crate::mutated("own-change")) {',
    ),
    (
        "src/cache/near.rs",
        "Arc::new(move |key: &[u8]| values.invalidate(key))",
        'Arc::new(move |key: &[u8]| {\n            if !crate::mutated("report") {\n                values.invalidate(key);\n            }\n        })',
    ),
    (
        "src/store/node/redis_node.rs",
        "set_read_only(follows_other && self.state.load().is_replica())",
        'set_read_only(crate::mutated("readonly") || (follows_other && self.state.load().is_replica()))',
    ),
    (
        "src/store/operation/redirect.rs",
        "context.cluster.is_some() && !shard.is_master(node)",
        'context.cluster.is_some() && !shard.is_master(node) && !crate::mutated("confirm")',
    ),
    (
        "src/store/operation/redirect.rs",
        "cluster.is_moving(slot))",
        'cluster.is_moving(slot) && !crate::mutated("moving"))',
    ),
    (
        "src/store/operation/redirect.rs",
        "is_moving || !ptr::eq(",
        'is_moving || !crate::mutated("left") && !ptr::eq(',
    ),
    (
        "src/store/shard/election_rules.rs",
        "self.follows.filter(|followed| is_master(*followed, infos))",
        'self.follows.filter(|followed| is_master(*followed, infos) && !crate::mutated("follows"))',
    ),
    (
        "src/store/operation/redirect.rs",
        "        if asking {",
        '        if asking && !crate::mutated("asking") {',
    ),
    (
        "src/store/shard/election_state.rs",
        "survey.announced.filter(|node| survey.is_master(*node))",
        'survey.announced.filter(|node| crate::mutated("announced") || survey.is_master(*node))',
    ),
    (
        "src/store/topology/sentinel/quorum.rs",
        "epoch >= last.epoch || (has_expired && is_majority)",
        'epoch >= last.epoch || (has_expired && is_majority) || crate::mutated("epoch")',
    ),
    (
        "src/store/error/node.rs",
        "    /// Returns true if the node certainly did not run",
        "    /// Returns true if no answer came.\n    pub fn did_not_answer(&self) -> bool {\n"
        "        matches!(self, Self::Lost)\n    }\n\n"
        "    /// Returns true if the node certainly did not run",
    ),
]


def mutate(tree):
    """Returns the files of a tree with all mutations. The code of each one has to be there exactly once."""
    files = {}
    for file, old, new in EDITS:
        text = files.get(file) or (tree / file).read_text()
        if text.count(old) != 1:
            sys.exit(f"{file}: the code of a mutation is there {text.count(old)} times:\n{old}")
        files[file] = text.replace(old, new)
    named = set(re.findall(r'crate::mutated\("([a-z-]+)"\)', "".join(new for _, _, new in EDITS)))
    if named != set(REPAIRS) or not named.issuperset(NOT_SHOWN):
        sys.exit(f"names of mutations without code, or the other way round: {named ^ set(REPAIRS)}")
    files["src/lib.rs"] = (tree / "src/lib.rs").read_text() + SWITCH
    return files


def build():
    """Builds the simulation with all mutations, and returns the path of the program."""
    subprocess.run(["git", "worktree", "remove", "--force", TREE], cwd=ROOT, check=False, capture_output=True)
    subprocess.run(["git", "worktree", "add", "--detach", TREE, "HEAD"], cwd=ROOT, check=True, capture_output=True)
    for file, text in mutate(TREE).items():
        (TREE / file).write_text(text)
    command = ["cargo", "test", "--locked", "--profile", "simulation", "--test", "simulation", "--no-run"]
    done = subprocess.run([*command, "--target-dir", ROOT / "target"], check=False, cwd=TREE, capture_output=True, text=True)
    found = re.search(r"\(([^)]*deps/simulation-[0-9a-f]+)\)", done.stderr)
    if done.returncode or not found:
        sys.exit(done.stderr)
    return TREE / found.group(1)


def failures(program, mutation, first, count, edition=None):
    """Runs seeds, of the newest edition unless another one is given. Returns the broken promises by seed."""
    environment = {**os.environ, "MUTATION": mutation, "SEEDS": str(count), "FIRST_SEED": str(first)}
    if edition:
        environment["EDITION"] = str(edition)
    command = [program, "--nocapture", "every_promise_holds_for_every_seed"]
    done = subprocess.run(command, check=False, cwd=TREE, env=environment, capture_output=True, text=True)
    return {int(seed): promise for seed, promise in re.findall(r"^seed (\d+): (\w+):", done.stdout, re.M)}


def row(program, mutation):
    """Runs seeds until one breaks a promise. Returns the row of the table, and if a promise was broken."""
    total, found = 0, {}
    edition, seed = FOUND_BY.get(mutation, (None, None))
    for first, count in [(seed, 1)] if edition else ROUNDS:
        found |= failures(program, mutation, first, count, edition)
        total += count
        if found:
            break
    promises = ", ".join(f"`{promise}`" for promise in dict.fromkeys(found[seed] for seed in sorted(found)))
    first = min(found, default="")
    promises = promises or NOT_SHOWN.get(mutation, "")
    return f"| {REPAIRS[mutation]} | {len(found):,} of {total:,} | {first} | {promises} |", bool(found)


def main(page):
    """Runs all mutations and writes the table."""
    program = build()
    if failures(program, "", *ROUNDS[0]):
        sys.exit("without a mutation the simulation finds broken promises")
    rows, missed, shown = [], [], []
    for mutation in REPAIRS:
        line, was_found = row(program, mutation)
        shown += [mutation] if was_found and mutation in NOT_SHOWN else []
        print(line, flush=True)
        rows.append(line)
        missed += [] if was_found or mutation in NOT_SHOWN else [REPAIRS[mutation]]
    subprocess.run(["git", "worktree", "remove", "--force", TREE], cwd=ROOT, check=True)
    head = "| repair that is taken out | failing seeds | first | broken promises, or why there are none |\n| --- | --- | --- | --- |"
    page = pathlib.Path(page)
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{head}\n" + "\n".join(rows) + f"\n{END}" + rest.split(END)[1])
    if missed:
        sys.exit("not found by the simulation: " + "; ".join(missed))
    if shown:
        sys.exit("found by now, remove them from NOT_SHOWN: " + ", ".join(shown))


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        mutate(ROOT)
    else:
        main(sys.argv[1])
